#include "real/launch/fault_handler.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/sealed_memory.h"

namespace missive::launch {

namespace {

constexpr const char* kDevice = "/dev/userfaultfd";
constexpr std::uint64_t kPage = 4096;
// Mapped with a page that is asked for, as far as its blocks are accepted: the kernel's own
// habit with files (fault_around_bytes). 16 pages took 11 us where one took 7.
constexpr std::uint64_t kAround = std::uint64_t{64} * 1024;
// UFFD_EVENT_FORK is for CAP_SYS_PTRACE: who handles the faults of a copy has its memory in hand.
constexpr std::uint64_t kFeatures = UFFD_FEATURE_MINOR_SHMEM | UFFD_FEATURE_MISSING_SHMEM |
                                    UFFD_FEATURE_EVENT_FORK | UFFD_FEATURE_EVENT_REMAP |
                                    UFFD_FEATURE_EVENT_UNMAP;
constexpr std::uint64_t kContinue = std::uint64_t{1} << _UFFDIO_CONTINUE;

constexpr std::uint64_t page_of(std::uint64_t address) { return address & ~(kPage - 1); }

void agree_on_features(int faults) {
  uffdio_api api{UFFD_API, kFeatures, 0};
  if (::ioctl(faults, UFFDIO_API, &api) == 0) return;
  if (errno == EPERM) throw NotAvailable("userfaultfd: being told of fork(2) needs CAP_SYS_PTRACE");
  throw NotAvailable(
      std::string("userfaultfd: the kernel cannot handle minor faults of memory files and tell of "
                  "changed mappings (Linux 5.14): ") +
      std::strerror(errno));
}

void register_pages(int faults, std::uint64_t address, std::uint64_t length) {
  uffdio_register wanted{
      {address, length}, UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_MISSING, 0};
  if (::ioctl(faults, UFFDIO_REGISTER, &wanted) != 0)
    throw_errno("userfaultfd: cannot watch pages");
  if ((wanted.ioctls & kContinue) == 0)
    throw RunError("userfaultfd: the kernel watches the pages but cannot map them");
}

// A page of a sealed memory file, mapped as a program's are.
struct ProbePage {
  ProbePage() {
    const UniqueFd file = sealed_file_of(std::array<std::byte, kPage>{}, "probe");
    at = ::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (at == MAP_FAILED) throw_errno("userfaultfd: mapping a page to try it");
  }
  ~ProbePage() { ::munmap(at, kPage); }
  ProbePage(const ProbePage&) = delete;
  ProbePage& operator=(const ProbePage&) = delete;
  void* at = MAP_FAILED;
};

// The way of a launch, on a page of this process.
void try_it() {
  const UniqueFd device = open_fault_device();
  const ProbePage page;  // unmapped after the close: unmapping what is watched waits for a handler
  const UniqueFd faults(::ioctl(device.get(), USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK));
  if (!faults) throw_errno("userfaultfd");
  agree_on_features(faults.get());
  register_pages(faults.get(), reinterpret_cast<std::uintptr_t>(page.at), kPage);
}

}  // namespace

UniqueFd open_fault_device() {
  UniqueFd device(::open(kDevice, O_RDWR | O_CLOEXEC));
  if (!device)
    throw NotAvailable(std::string(kDevice) + ": " + std::strerror(errno) +
                       "; page faults are handled by it (Linux 6.1, CONFIG_USERFAULTFD), and who "
                       "may is said by its file mode, not by vm.unprivileged_userfaultfd");
  return device;
}

std::string fault_handler_unavailable() {
  static const std::string why = [] {
    try {
      try_it();
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  }();
  return why;
}

FaultHandler::FaultHandler(UniqueFd faults, const LoadPlan& plan, std::uint64_t base,
                           verify::BlockVerifier& blocks, std::uint64_t image_bytes, int pidfd)
    : faults_(std::move(faults)),
      blocks_(blocks),
      image_bytes_(image_bytes),
      pidfd_(::fcntl(pidfd, F_DUPFD_CLOEXEC, 0)),
      stop_(::eventfd(0, EFD_CLOEXEC)) {
  if (!pidfd_ || !stop_) throw_errno("userfaultfd: its handler");
  agree_on_features(faults_.get());
  for (std::uint64_t i = 0; i < plan.parts; ++i) {
    const LoadPart& part = plan.part[i];
    if (part.mapped == 0) continue;
    ranges_.push_back({base + part.address, part.mapped, part.offset});
    register_pages(faults_.get(), ranges_.back().address, part.mapped);
  }
  watched_ = ranges_;
  thread_ = std::thread([this] { run(); });
}

FaultHandler::~FaultHandler() {
  const std::uint64_t one = 1;
  (void)!::write(stop_.get(), &one, sizeof one);
  thread_.join();
}

void FaultHandler::run() {
  try {
    std::vector<uffd_msg> faults;
    while (take_messages(faults)) {
      for (const uffd_msg& each : faults) answer(each.arg.pagefault.address);
      answered_ += faults.size();
      if (lost_track_) verify_all();
      if (blocks_.all_accepted()) let_go();
    }
  } catch (const std::exception& e) {
    // Whoever waits for a page goes on waiting, for his end: the userfaultfd stays open.
    end_application(blocks_.failure().empty() ? e.what() : "");
  }
}

// Waits for some; events are seen to, faults returned. False when this is to end.
bool FaultHandler::take_messages(std::vector<uffd_msg>& faults) {
  faults.clear();
  std::array<pollfd, 2> sources{pollfd{faults_.get(), POLLIN, 0}, pollfd{stop_.get(), POLLIN, 0}};
  while (::poll(sources.data(), sources.size(), -1) < 0) {
    if (errno != EINTR) throw_errno("userfaultfd: waiting for faults");
  }
  if (sources[1].revents != 0) return false;
  std::array<uffd_msg, 16> messages;
  const std::lock_guard lock(layout_);
  // Faults come before events, and by reading an event its causer goes on.
  const ssize_t size = ::read(faults_.get(), messages.data(), sizeof messages);
  if (size < 0 && errno != EAGAIN && errno != EINTR) throw_errno("userfaultfd: reading faults");
  for (std::size_t i = 0; static_cast<ssize_t>((i + 1) * sizeof messages[0]) <= size; ++i) {
    if (messages[i].event == UFFD_EVENT_PAGEFAULT)
      faults.push_back(messages[i]);
    else
      take_event(messages[i]);
  }
  return true;
}

void FaultHandler::take_event(const uffd_msg& event) {
  lost_track_ = true;
  if (event.event == UFFD_EVENT_FORK)
    copies_.emplace_back(static_cast<int>(event.arg.fork.ufd));
  else if (event.event == UFFD_EVENT_REMAP)
    moved_.push_back({event.arg.remap.to, event.arg.remap.len});
}

void FaultHandler::answer(std::uint64_t address) {
  const Range* const range = lost_track_ ? nullptr : range_of(address);
  Window window{page_of(address), kPage};
  if (range == nullptr) {
    verify_all();
  } else {
    blocks_.require(range->offset + (window.address - range->address), kPage);
    window = window_around(*range, address);
  }
  // Where the page is there already, or no longer anything, the kernel wakes nobody.
  if (map_pages(window) != Mapped::all) wake(address);
}

// What addresses mean is no longer known; what the image holds is.
void FaultHandler::verify_all() {
  {
    const std::lock_guard lock(layout_);
    lost_track_ = true;
  }
  blocks_.require(0, image_bytes_);
}

// Every block was accepted: there is nothing to watch.
void FaultHandler::let_go() {
  copies_.clear();  // the last owner's close takes the watch off
  const auto unwatch = [&](std::uint64_t address, std::uint64_t length) {
    // Fails where the application has put something else; what is left is answered as before.
    uffdio_range pages{address, length};
    ::ioctl(faults_.get(), UFFDIO_UNREGISTER, &pages);
  };
  for (const Range& each : std::exchange(watched_, {})) unwatch(each.address, each.length);
  for (const Window& each : std::exchange(moved_, {})) unwatch(each.address, each.length);
}

const FaultHandler::Range* FaultHandler::range_of(std::uint64_t address) const {
  for (const Range& each : ranges_)
    if (address - each.address < each.length) return &each;
  return nullptr;
}

// As much around `address` as lies in the same stretch of the image and was accepted.
FaultHandler::Window FaultHandler::window_around(const Range& range, std::uint64_t address) const {
  const std::uint64_t at = page_of(address) - range.address;
  const auto accepted = [&](std::uint64_t page) {
    return blocks_.accepted(range.offset + page, kPage);
  };
  const std::uint64_t misfit = range.offset % kAround;
  const std::uint64_t begin = (at + misfit) / kAround * kAround;
  const std::uint64_t lowest = begin < misfit ? 0 : begin - misfit;
  const std::uint64_t highest = std::min(range.length, begin + kAround - misfit);
  std::uint64_t from = at, to = at + kPage;
  while (from > lowest && accepted(from - kPage)) from -= kPage;
  while (to < highest && accepted(to)) to += kPage;
  return {range.address + from, to - from};
}

FaultHandler::Mapped FaultHandler::map_pages(Window window) const {
  Mapped result = Mapped::all;
  std::uint64_t from = window.address, step = window.length;
  const std::uint64_t to = window.address + window.length;
  while (from < to) {
    uffdio_continue pages{{from, std::min(step, to - from)}, 0, 0};
    if (::ioctl(faults_.get(), UFFDIO_CONTINUE, &pages) == 0 || pages.mapped > 0) {
      from += static_cast<std::uint64_t>(pages.mapped);
    } else if (errno == ENOENT && step > kPage) {
      step = kPage;  // of more than one mapping, as mprotect(2) leaves them, it takes none
    } else if (errno == EEXIST || errno == ENOENT) {  // by a fault, or written to; not watched
      from += kPage;
      result = Mapped::partly;
    } else if (errno == EAGAIN || errno == ESRCH) {  // an event is to be read; ended
      return Mapped::partly;
    } else {
      throw_errno("userfaultfd: mapping a verified page");
    }
  }
  return result;
}

void FaultHandler::wake(std::uint64_t address) const {
  uffdio_range page{page_of(address), kPage};
  ::ioctl(faults_.get(), UFFDIO_WAKE, &page);
}

void FaultHandler::map_ahead(std::uint64_t offset, std::uint64_t length) {
  const std::lock_guard lock(layout_);
  if (lost_track_) return;
  for (const Range& each : ranges_) {
    const std::uint64_t from = std::max(page_of(offset), each.offset);
    const std::uint64_t to =
        std::min(page_of(offset + length + kPage - 1), each.offset + each.length);
    if (from < to) map_pages({each.address + (from - each.offset), to - from});
  }
}

void FaultHandler::end_application(const std::string& why) {
  {
    const std::lock_guard lock(failure_mutex_);
    if (failure_.empty()) failure_ = why;
  }
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0U);
}

std::string FaultHandler::failure() const {
  const std::lock_guard lock(failure_mutex_);
  return failure_;
}

}  // namespace missive::launch
