#include "real/domains/microvm/machine.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fmt/format.h>

#include "models/error.h"
#include "real/domains/find_program.h"
#include "real/domains/microvm/guest/channel.h"
#include "real/process.h"

namespace missive::domains::microvm {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr char kEmulator[] = "qemu-system-x86_64";
constexpr std::size_t kMostChannel = std::size_t{1} << 30;
constexpr std::size_t kGranule = 2u << 20;
constexpr std::size_t kMostText = 64 * 1024;

// What the child does between clone and exec; everything in it was made before.
struct Start {
  const char* program;
  std::vector<char*> arguments;
  std::array<int, 4> keep;  // become 3, 4, 5, 6
  int parent, null, console, cpu;
};

void child(void* data) {
  const Start& s = *static_cast<Start*>(data);
  char* variables[] = {nullptr};
  die_with_parent(s.parent);
  ::setsid();
  if (pin_to(s.cpu) && ::dup2(s.null, 0) >= 0 && ::dup2(s.console, 1) >= 0 &&
      ::dup2(s.console, 2) >= 0 && keep_only(s.keep.data(), static_cast<int>(s.keep.size()))) {
    reset_signals();
    ::execve(s.program, s.arguments.data(), variables);
  }
  const char* const why = ::strerrordesc_np(errno);
  if (::write(2, why, std::strlen(why)) < 0) ::_exit(125);
  ::_exit(126);
}

UniqueFd memory_file(const std::string& what, std::size_t bytes) {
  UniqueFd fd(::memfd_create("microvm", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  // Sealed: a file that shrinks under a mapping would end this program by SIGBUS.
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0 ||
      ::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    throw_errno(what);
  }
  return fd;
}

std::pair<UniqueFd, UniqueFd> socket_pair(const std::string& who) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw_errno(who + ": sockets to QEMU (the limit is 'ulimit -n')");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// What does not fit is lost, and QEMU does not wait: a guest may write for ever. Not a socket:
// there a byte written alone takes the room of hundreds.
std::pair<UniqueFd, UniqueFd> console_pipe(const std::string& who) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    throw_errno(who + ": a pipe to QEMU (the limit is 'ulimit -n')");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

std::vector<std::string> command_line(const Boot& boot, std::size_t channel) {
  const std::size_t kernel_memory = MISSIVE_MICROVM_CHANNEL;
  const std::string all = fmt::format("{}K", (kernel_memory + channel) / 1024);
  const bool kvm = boot.accelerator == Accelerator::kvm;
  // nopat: the mapping of the channel is cached like other memory. No delay for a panic, and a
  // reset then, on which QEMU ends.
  const std::string kept_away =
      channel > 0 ? fmt::format("memmap={}K${}K ", channel / 1024, kernel_memory / 1024) : "";
  const std::string kernel_line =
      kept_away + "nopat nokaslr mitigations=off quiet panic=-1 reboot=t console=ttyS1";
  return {
      kEmulator,     "-no-user-config",
      "-nodefaults", "-no-reboot",
      "-display",    "none",
      "-sandbox",    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
      "-accel",      kvm ? "kvm" : "tcg,thread=single",
      "-cpu",        boot.cpu,
      "-m",          all,
      "-object",     "memory-backend-file,id=memory,mem-path=/proc/self/fd/5,share=on,size=" + all,
      "-machine",    "microvm,acpi=off,rtc=off,usb=off,isa-serial=off,memory-backend=memory",
      "-chardev",    "socket,id=port,fd=3",
      "-device",     "isa-serial,index=0,chardev=port",
      "-chardev",    "file,id=console,path=/proc/self/fd/4",
      "-device",     "isa-serial,index=1,chardev=console",
      "-kernel",     boot.kernel.string(),
      "-initrd",     "/proc/self/fd/6",
      "-append",     kernel_line};
}

// A kernel's line without its time stamp, QEMU's without its own name.
std::string stripped(std::string line) {
  for (const std::string& head : {std::string(kEmulator) + ": ", std::string("] ")})
    if (const auto at = line.find(head); at != std::string::npos) line.erase(0, at + head.size());
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
  return line;
}

}  // namespace

std::string to_string(Accelerator accelerator) {
  return accelerator == Accelerator::kvm ? "KVM" : "software emulation";
}

Machine::Machine(const Boot& boot) : who_(boot.who) {
  if (boot.channel_bytes > kMostChannel)
    throw InputError(who_ + ": messages and shared memory of at most 1 GiB together");
  check_cpu(who_, boot.host_cpu);
  const std::string program = find_program(kEmulator);
  if (program.empty())
    throw NotAvailable(who_ + ": " + kEmulator +
                       " is not installed; install the Debian package qemu-system-x86");
  make_memory(boot);
  start(boot, program);
}

Machine::~Machine() {
  stop();
  if (!channel_.empty()) ::munmap(channel_.data(), channel_.size());
}

void Machine::make_memory(const Boot& boot) {
  const std::size_t channel = (boot.channel_bytes + kGranule - 1) / kGranule * kGranule;
  memory_ = memory_file(who_ + ": the machine's memory", MISSIVE_MICROVM_CHANNEL + channel);
  if (channel > 0) {
    void* const at = ::mmap(nullptr, channel, PROT_READ | PROT_WRITE, MAP_SHARED, memory_.get(),
                            MISSIVE_MICROVM_CHANNEL);
    if (at == MAP_FAILED) throw_errno(who_ + ": mapping the machine's memory");
    channel_ = {static_cast<std::byte*>(at), channel};
  }
  initramfs_ = memory_file(who_ + ": the machine's root", boot.initramfs.size());
  for (std::size_t at = 0; at < boot.initramfs.size();) {
    const ssize_t n = ::pwrite(initramfs_.get(), boot.initramfs.data() + at,
                               boot.initramfs.size() - at, static_cast<off_t>(at));
    if (n <= 0) throw_errno(who_ + ": the machine's root");
    at += static_cast<std::size_t>(n);
  }
}

void Machine::start(const Boot& boot, const std::string& program) {
  auto [port, its_port] = socket_pair(who_);
  auto [console, its_console] = console_pipe(who_);
  const UniqueFd parent(static_cast<int>(::syscall(SYS_pidfd_open, ::getpid(), 0)));
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!parent || !null) throw_errno(who_ + ": cannot prepare its start");
  std::vector<std::string> arguments = command_line(boot, channel_.size());
  Start s{};
  s.program = program.c_str();
  for (std::string& each : arguments) s.arguments.push_back(each.data());
  s.arguments.push_back(nullptr);
  s.keep = {its_port.get(), its_console.get(), memory_.get(), initramfs_.get()};
  s.parent = parent.get();
  s.null = null.get();
  s.console = its_console.get();
  s.cpu = boot.host_cpu;
  process_.start(who_, 0, child, &s);
  port_ = std::move(port);
  console_ = std::move(console);
  memory_.reset();
  initramfs_.reset();
}

void Machine::ring() {
  // A port that is full has bytes enough to wake the guest.
  static_cast<void>(::send(port_.get(), ".", 1, MSG_DONTWAIT | MSG_NOSIGNAL));
}

// False at the end of the stream.
bool Machine::receive() {
  std::array<char, 4096> part;
  const ssize_t n = ::recv(port_.get(), part.data(), part.size(), MSG_DONTWAIT);
  if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
  received_.append(part.data(), static_cast<std::size_t>(n));
  if (received_.size() > kMostText) received_.erase(0, received_.size() - kMostText);
  return true;
}

Machine::Wake Machine::await(steady_clock::time_point end) {
  // In slices: an interrupt that comes just before poll(2) is seen after one.
  constexpr milliseconds kSlice{200};
  for (;;) {
    check_interrupt();
    const auto left =
        std::max(milliseconds(0), std::chrono::ceil<milliseconds>(end - steady_clock::now()));
    std::array<pollfd, 2> fds{{{port_.get(), POLLIN, 0}, {process_.pidfd(), POLLIN, 0}}};
    const int ready =
        ::poll(fds.data(), fds.size(), static_cast<int>(std::min(left, kSlice).count()));
    if (ready > 0 && fds[0].revents != 0) return receive() ? Wake::rang : Wake::ended;
    if (ready > 0) return Wake::ended;
    if (left.count() == 0) return Wake::late;
  }
}

std::string Machine::said() {
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t n = ::read(console_.get(), part.data(), part.size());
    if (n <= 0) break;
    console_text_.append(part.data(), static_cast<std::size_t>(n));
    if (console_text_.size() > kMostText) console_text_.erase(0, console_text_.size() - kMostText);
  }
  std::string last;
  for (std::size_t at = 0; at < console_text_.size();) {
    const std::size_t end = std::min(console_text_.find('\n', at), console_text_.size());
    const std::string line = console_text_.substr(at, end - at);
    at = end + 1;
    if (line.find("Kernel panic") != std::string::npos || line.find(kEmulator) == 0)
      return stripped(line);
    if (const std::string text = stripped(line); !text.empty()) last = text;
  }
  return last;
}

}  // namespace missive::domains::microvm
