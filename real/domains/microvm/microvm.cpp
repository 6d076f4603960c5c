#include "real/domains/microvm/microvm.h"

#include <atomic>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>

#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "real/domains/find_program.h"
#include "real/domains/kvm/machine.h"
#include "real/domains/mechanism_list.h"
#include "real/domains/message.h"
#include "real/domains/microvm/guest/channel.h"
#include "real/domains/microvm/initramfs.h"
#include "real/domains/microvm/kernel.h"

extern "C" const std::byte missive_microvm_init[];
extern "C" const std::byte missive_microvm_init_end[];

namespace missive::domains::microvm {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr char kName[] = "qemu-microvm";
constexpr char kEmulator[] = "qemu-system-x86_64";
constexpr milliseconds kTrial{15'000};     // for KVM: it takes less than one where it works
constexpr milliseconds kPatience{60'000};  // software emulation on a busy host

std::size_t whole_pages(std::size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

// Where things lie in the channel. The guest can write all of it: offsets are kept here.
struct Layout {
  explicit Layout(const DomainOptions& options) {
    constexpr std::size_t kMost = std::size_t{1} << 30;
    if (options.max_message > kMost || options.shared_bytes > kMost)
      throw InputError(std::string(kName) + ": messages and shared memory of at most 1 GiB");
    reply = request + whole_pages(options.max_message);
    shared = reply + whole_pages(options.max_message);
    total = shared + whole_pages(options.shared_bytes);
  }
  std::size_t request = MISSIVE_CONTROL_BYTES, reply, shared, total;
};

Boot boot_of(Accelerator accelerator, const std::filesystem::path& kernel,
             std::span<const std::byte> program, const Layout& layout, int host_cpu) {
  Boot boot;
  boot.who = kName;
  boot.kernel = kernel;
  boot.initramfs = initramfs(program);
  boot.accelerator = accelerator;
  // Emulated, a plain CPU starts faster than one of every feature.
  boot.cpu = accelerator == Accelerator::kvm ? "max" : "qemu64";
  boot.channel_bytes = layout.total;
  boot.host_cpu = host_cpu;
  return boot;
}

class MicrovmDomain final : public Domain {
 public:
  MicrovmDomain(Accelerator accelerator, const std::filesystem::path& kernel,
                std::span<const std::byte> program, const DomainOptions& options,
                milliseconds patience)
      : limit_(options.max_message),
        shared_bytes_(options.shared_bytes),
        deadline_(options.deadline),
        layout_(options),
        machine_(boot_of(accelerator, kernel, program, layout_, options.peer_cpu)) {
    control().total = layout_.total;
    try {
      await_turn(patience);
    } catch (const DomainFault& e) {
      throw RunError(fmt::format("{}; it was started by {}", e.what(), to_string(accelerator)));
    }
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    const bool in_place = lies_in(request, shared());
    check_message(kName, in_place ? 0 : request.size(), reply.size(), limit_);
    if (ended_) throw DomainFault(std::string(kName) + ": the domain has ended");
    std::byte* const memory = machine_.channel().data();
    if (!in_place && !request.empty())
      std::memcpy(memory + layout_.request, request.data(), request.size());
    missive_control& c = control();
    c.entry = static_cast<std::int32_t>(entry);
    c.request_at = in_place ? static_cast<std::size_t>(request.data() - memory) : layout_.request;
    c.size = request.size();
    c.reply_at = layout_.reply;
    c.capacity = reply.size();
    std::atomic_ref(c.turn).store(MISSIVE_TURN_SERVICE, std::memory_order_release);
    machine_.ring();
    await_turn(deadline_);
    const std::int64_t answer = std::atomic_ref(c.answer).load(std::memory_order_relaxed);
    const std::size_t length = answer_length(answer, reply.size());
    if (length > 0) std::memcpy(reply.data(), memory + layout_.reply, length);
    return length;
  }

  std::span<std::byte> shared() override {
    return machine_.channel().subspan(layout_.shared, shared_bytes_);
  }

 private:
  missive_control& control() {
    return *reinterpret_cast<missive_control*>(machine_.channel().data());
  }

  void await_turn(milliseconds limit) {
    const auto end =
        limit.count() > 0 ? steady_clock::now() + limit : steady_clock::time_point::max();
    try {
      for (;;) {
        const Machine::Wake wake = machine_.await(end);
        if (std::atomic_ref(control().turn).load(std::memory_order_acquire) == MISSIVE_TURN_HOST)
          return;
        check_end();
        if (wake == Machine::Wake::late)
          fault(fmt::format("no answer within {} ms; killed", limit.count()) + quoted());
        if (wake == Machine::Wake::ended) fault("the machine ended" + quoted());
      }
    } catch (...) {
      ended_ = true;
      machine_.stop();
      throw;
    }
  }

  // What the guest's first process says of the service.
  void check_end() {
    const auto step = std::atomic_ref(control().start_step).load(std::memory_order_acquire);
    const int status = control().start_error;
    if (step == MISSIVE_MICROVM_FAILED)
      fault("the guest could not start its service, step " + std::to_string(status));
    if (step != MISSIVE_MICROVM_ENDED) return;
    fault("the service ended in its machine, " +
          (WIFSIGNALED(status) ? "killed by " + std::string(::strsignal(WTERMSIG(status)))
                               : "exit status " + std::to_string(WEXITSTATUS(status))));
  }

  std::string quoted() {
    const std::string said = machine_.said();
    return said.empty() ? "" : "; it said: " + said;
  }
  [[noreturn]] static void fault(const std::string& what) {
    throw DomainFault(std::string(kName) + ": " + what);
  }

  std::size_t answer_length(std::int64_t told, std::size_t capacity) {
    try {
      return checked_answer(kName, told, capacity);
    } catch (const DomainFault&) {
      ended_ = true;
      throw;
    }
  }

  std::size_t limit_, shared_bytes_;
  milliseconds deadline_;
  Layout layout_;
  Machine machine_;
  bool ended_ = false;
};

// ---- whether KVM boots a kernel here ----

std::string try_kvm() {
  if (const std::string why = kvm::unavailable(); !why.empty()) return why;
  try {
    DomainOptions options;
    options.max_message = 64;
    start(Accelerator::kvm, kernel_file(), service_init(), options, kTrial)
        ->call(Entry::null, {}, {});
    return {};
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& e) {
    return e.what();
  }
}

std::string first_line_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

// A verdict holds for this boot of the host, this kernel and this QEMU.
std::string circumstances() {
  std::error_code ignored;
  const auto emulator = std::filesystem::last_write_time(find_program(kEmulator), ignored);
  const auto kernel = std::filesystem::last_write_time(kernel_file(), ignored);
  return fmt::format("{} {} {} {}", first_line_of("/proc/sys/kernel/random/boot_id"),
                     emulator.time_since_epoch().count(), kernel.time_since_epoch().count(),
                     kvm::unavailable().empty() ? "kvm" : "no-kvm");
}

void keep(const std::filesystem::path& file, const std::string& key, const std::string& verdict) {
  const std::filesystem::path fresh = file.string() + "." + std::to_string(::getpid());
  std::ofstream(fresh) << key << '\n' << verdict << '\n';
  std::error_code ignored;  // where it cannot be kept it is found out again
  std::filesystem::rename(fresh, file, ignored);
  if (ignored) std::filesystem::remove(fresh, ignored);
}

std::string kept_or_found() {
  const std::filesystem::path file = kernel_file().parent_path() / "kvm-verdict";
  const std::string key = circumstances();
  std::ifstream in(file);
  std::string kept_key, verdict;
  if (std::getline(in, kept_key) && std::getline(in, verdict) && kept_key == key) return verdict;
  verdict = try_kvm();
  keep(file, key, verdict);
  return verdict;
}

std::string unavailable() {
  if (find_program(kEmulator).empty())
    return "qemu-system-x86_64 is not installed; install the Debian package qemu-system-x86";
  if (!kernel_is_there())
    return "its kernel is not here yet; the first run fetches it, or: missive-sim domains run "
           "qemu-microvm";
  return {};
}

std::string untimed() {
  if (!unavailable().empty()) return {};
  const std::string why = kvm_unfit();
  return why.empty() ? ""
                     : "only software emulation boots a kernel here, and its times say nothing "
                       "(under KVM: " +
                           why + ")";
}

void prepare() {
  if (!find_program(kEmulator).empty()) ensure_kernel();
}

std::unique_ptr<Domain> create(const DomainOptions& options) {
  if (find_program(kEmulator).empty()) throw NotAvailable(kName + (": " + unavailable()));
  const std::filesystem::path kernel = ensure_kernel();
  const Accelerator accelerator = untimed().empty() ? Accelerator::kvm : Accelerator::emulation;
  return start(accelerator, kernel, service_init(), options, kPatience);
}

}  // namespace

std::span<const std::byte> service_init() {
  return {missive_microvm_init, missive_microvm_init_end};
}

std::unique_ptr<Domain> start(Accelerator accelerator, const std::filesystem::path& kernel,
                              std::span<const std::byte> program, const DomainOptions& options,
                              std::chrono::milliseconds patience) {
  return std::make_unique<MicrovmDomain>(accelerator, kernel, program, options, patience);
}

std::string kvm_unfit() {
  static std::mutex mutex;
  static std::map<std::string, std::string> known;  // by kernel: tests have homes of their own
  const std::lock_guard lock(mutex);
  const auto [found, fresh] = known.try_emplace(kernel_file().string());
  if (!fresh) return found->second;
  try {
    found->second = kept_or_found();
  } catch (...) {
    known.erase(found);
    throw;
  }
  return found->second;
}

}  // namespace missive::domains::microvm

namespace missive::domains {

Mechanism qemu_microvm_mechanism() {
  Mechanism m;
  m.name = microvm::kName;
  m.what =
      "a virtual machine with Debian's kernel (QEMU, microvm), the service a process in it; a "
      "crossing is an interrupt of a serial port each way and two wake-ups, which saves all "
      "registers; messages copied through guest memory";
  if (const std::string label = kvm::host_label(); !label.empty()) m.what += "; " + label;
  m.claims = {true, true, true, true, true};
  m.unavailable = microvm::unavailable;
  m.prepare = microvm::prepare;
  m.untimed = microvm::untimed;
  m.create = microvm::create;
  return m;
}

}  // namespace missive::domains
