// Messages in memory that both processes map; what crosses the kernel is only the word to look.
//   eventfd: eventfd(2); the caller waits in poll(2), beside the process's own descriptor
//            (pidfd_open(2)), because an eventfd does not say that its writer died.
//   futex:   futex(2) on the counters themselves.
//   spin:    each side reads the other's counter until it moves. Needs a second CPU. Only a service
//            that has been idle for a while sleeps, and has to be woken.
// The service writes its reply straight into the shared memory; the caller copies it out, and takes
// from there only a length that it checks.

#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real/domains/futex.h"
#include "real/domains/mechanism_list.h"
#include "real/domains/process.h"
#include "real/domains/service_process.h"
#include "real/domains/shared_memory.h"
#include "real/domains/time_left.h"

namespace missive::domains {

namespace {

constexpr std::size_t kPage = 4096;
// How often a waiting caller looks whether the process lives, where nothing tells it so.
constexpr std::chrono::milliseconds kSlice{20};
constexpr int kSpinsPerLook = 1 << 12;
// A spinning service that nobody asks goes to sleep after about 1 ms (`pause` takes up to 140
// cycles): idle domains must not burn a CPU that others need.
constexpr int kSpinsBeforeSleep = 1 << 14;

const char* name_of(MemorySignal signal) {
  switch (signal) {
    case MemorySignal::eventfd:
      return "process-eventfd";
    case MemorySignal::futex:
      return "process-futex";
    case MemorySignal::spin:
      break;
  }
  return "process-spin";
}

// First page of the shared memory. What each side writes lies on cache lines of its own.
struct Control {
  alignas(64) std::atomic<std::uint32_t> requests{0};
  std::int32_t entry = 0;
  std::uint64_t request_at = 0, size = 0, capacity = 0;  // offset from the start of the memory
  alignas(64) std::atomic<std::uint32_t> replies{0};
  std::atomic<std::int64_t> answer{0};
  std::atomic<std::uint32_t> asleep{0};  // spin only: the service waits on `requests`
};
static_assert(sizeof(Control) <= kPage);

struct Layout {
  explicit Layout(const DomainOptions& o)
      : request(kPage),
        reply(request + round_up(o.max_message)),
        shared(reply + round_up(o.max_message)),
        total(shared + round_up(o.shared_bytes)) {}
  static std::size_t round_up(std::size_t n) { return (n + kPage - 1) / kPage * kPage; }
  std::size_t request, reply, shared, total;
};

struct ServerSide {
  MemorySignal signal;
  int wake_service, wake_caller;  // eventfds, or -1
  ServiceFunction service;
  std::byte* memory;
  std::size_t reply_at;
};

// Says that it sleeps, then looks again: the caller counts up, then looks whether it sleeps. All
// four are sequentially consistent, so one of the two sees the other.
void sleep_until_asked(Control& control, std::uint32_t done) {
  control.asleep.store(1);
  if (control.requests.load() == done) futex_wait(control.requests, done, FutexScope::Shared);
  control.asleep.store(0);
}

void await_request(const ServerSide& side, Control& control, std::uint32_t done) {
  auto& requests = control.requests;
  int spins = 0;
  while (requests.load(std::memory_order_acquire) == done) {
    if (side.signal == MemorySignal::futex) {
      futex_wait(requests, done, FutexScope::Shared);
    } else if (side.signal == MemorySignal::eventfd) {
      std::uint64_t count = 0;
      if (::read(side.wake_service, &count, sizeof count) < 0 && errno != EINTR) ::_exit(1);
    } else if (++spins < kSpinsBeforeSleep) {
      __builtin_ia32_pause();
    } else {
      sleep_until_asked(control, done);
    }
  }
}

void say_done(const ServerSide& side, Control& control, std::uint32_t number) {
  control.replies.store(number, std::memory_order_release);
  if (side.signal == MemorySignal::futex) {
    futex_wake(control.replies, FutexScope::Shared);
  } else if (side.signal == MemorySignal::eventfd) {
    const std::uint64_t one = 1;
    if (::write(side.wake_caller, &one, sizeof one) < 0) ::_exit(1);
  }
}

[[noreturn]] void serve(const ServerSide& side) {
  Control& control = *reinterpret_cast<Control*>(side.memory);
  for (std::uint32_t done = 0;; ++done) {
    await_request(side, control, done);
    control.answer.store(
        side.service(control.entry,
                     reinterpret_cast<const std::uint8_t*>(side.memory + control.request_at),
                     control.size, reinterpret_cast<std::uint8_t*>(side.memory + side.reply_at),
                     control.capacity),
        std::memory_order_relaxed);
    say_done(side, control, done + 1);
  }
}

UniqueFd make_eventfd(int flags) {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | flags));
  if (!fd) throw_errno("process-eventfd: cannot make one (limits: RLIMIT_NOFILE, fs.file-max)");
  return fd;
}

class MemoryDomain final : public Domain {
 public:
  MemoryDomain(MemorySignal signal, const DomainOptions& options, ServiceFunction service)
      : signal_(signal),
        name_(name_of(signal)),
        limit_(options.max_message),
        deadline_(options.deadline),
        layout_(options),
        memory_(layout_.total, name_),
        shared_(memory_.span().subspan(layout_.shared, options.shared_bytes)),
        control_(*new (memory_.span().data()) Control) {
    int cpu = options.peer_cpu;
    if (signal == MemorySignal::eventfd) {
      wake_service_ = make_eventfd(0);
      wake_caller_ = make_eventfd(EFD_NONBLOCK);
    } else if (signal == MemorySignal::spin && cpu < 0) {
      cpu = another_cpu();
      if (cpu < 0) throw NotAvailable("process-spin: needs two CPUs, this process may use one");
    }
    const ServerSide side{signal,  wake_service_.get(),   wake_caller_.get(),
                          service, memory_.span().data(), layout_.reply};
    process_.start(name_, {side.wake_service, side.wake_caller, options.descriptor_socket}, cpu,
                   [&side] { serve(side); });
    if (signal == MemorySignal::eventfd) {
      process_fd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, process_.pid(), 0)));
      if (!process_fd_) throw_errno("process-eventfd: pidfd_open (limit: RLIMIT_NOFILE)");
    }
  }

  std::size_t call(Entry entry, std::span<const std::byte> request,
                   std::span<std::byte> reply) override {
    const bool in_place = lies_in(request, shared_);
    check_message(name_, in_place ? 0 : request.size(), reply.size(), limit_);
    if (process_.pid() < 0) process_.fault(name_, false);
    std::byte* memory = memory_.span().data();
    if (!in_place && !request.empty())
      std::memcpy(memory + layout_.request, request.data(), request.size());
    control_.entry = static_cast<std::int32_t>(entry);
    control_.request_at =
        in_place ? static_cast<std::uint64_t>(request.data() - memory) : layout_.request;
    control_.size = request.size();
    control_.capacity = reply.size();
    control_.requests.store(++calls_);
    wake();
    wait();
    const std::size_t size = checked(control_.answer.load(std::memory_order_relaxed), reply.size());
    if (size > 0) std::memcpy(reply.data(), memory + layout_.reply, size);
    return size;
  }

  std::span<std::byte> shared() override { return shared_; }

 private:
  std::size_t checked(std::int64_t answer, std::size_t capacity) {
    try {
      return checked_answer(name_, answer, capacity);
    } catch (const DomainFault&) {
      process_.kill_now();
      throw;
    }
  }

  bool answered() const { return control_.replies.load(std::memory_order_acquire) == calls_; }

  void wake() {
    if (signal_ == MemorySignal::futex ||
        (signal_ == MemorySignal::spin && control_.asleep.load() != 0))
      futex_wake(control_.requests, FutexScope::Shared);
    if (signal_ == MemorySignal::eventfd) {
      const std::uint64_t one = 1;
      if (::write(wake_service_.get(), &one, sizeof one) < 0) throw_errno("process-eventfd: write");
    }
  }

  void wait() {
    TimeLeft deadline(deadline_);
    while (!answered()) {
      if (signal_ == MemorySignal::eventfd)
        wait_for_event(deadline);
      else if (signal_ == MemorySignal::futex)
        wait_for_word(deadline);
      else
        wait_spinning(deadline);
    }
  }

  void wait_for_event(TimeLeft& deadline) {
    pollfd both[2] = {{wake_caller_.get(), POLLIN, 0}, {process_fd_.get(), POLLIN, 0}};
    const int n = ::poll(both, 2, deadline.left_ms());
    if (n == 0) process_.fault(name_, true);
    if (n < 0 && errno != EINTR) throw_errno("process-eventfd: poll");
    if (n <= 0) return;
    if (both[0].revents == 0) process_.fault(name_, false);
    // A count left over from a reply that was seen before its event only costs another round.
    std::uint64_t count = 0;
    if (::read(wake_caller_.get(), &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR)
      throw_errno("process-eventfd: read");
    if (!answered() && deadline.passed()) process_.fault(name_, true);
  }

  void wait_for_word(TimeLeft& deadline) {
    const std::uint32_t seen = control_.replies.load(std::memory_order_acquire);
    if (seen == calls_) return;
    futex_wait(control_.replies, seen, FutexScope::Shared, kSlice);
    if (!answered()) look(deadline);
  }

  void wait_spinning(TimeLeft& deadline) {
    for (int i = 0; i < kSpinsPerLook; ++i) {
      if (answered()) return;
      __builtin_ia32_pause();
    }
    look(deadline);
    ::sched_yield();  // the service may be waiting for this very CPU
  }

  void look(TimeLeft& deadline) {
    if (!process_.alive()) process_.fault(name_, false);
    if (deadline.passed() && !answered()) process_.fault(name_, true);
  }

  MemorySignal signal_;
  const char* name_;
  std::size_t limit_;
  std::chrono::milliseconds deadline_;
  Layout layout_;
  SharedMemory memory_;
  std::span<std::byte> shared_;
  Control& control_;
  std::uint32_t calls_ = 0;
  UniqueFd wake_service_, wake_caller_, process_fd_;
  ServiceProcess process_;
};

Mechanism describe(MemorySignal signal, const char* how) {
  Mechanism m;
  m.name = name_of(signal);
  m.what = std::string("a forked process, messages in shared memory, ") + how;
  m.claims = {.memory = true, .control = true, .time = true};
  m.unavailable = [] { return std::string(); };
  return m;
}

}  // namespace

std::unique_ptr<Domain> make_memory_domain(MemorySignal signal, const DomainOptions& options,
                                           ServiceFunction service) {
  return std::make_unique<MemoryDomain>(signal, options, service);
}

Mechanism process_eventfd_mechanism() {
  Mechanism m = describe(MemorySignal::eventfd,
                         "woken by eventfd, the caller waits in poll; the kernel exchanges "
                         "everything, page tables included");
  m.create = [](const DomainOptions& o) { return make_memory_domain(MemorySignal::eventfd, o); };
  return m;
}

Mechanism process_futex_mechanism() {
  Mechanism m = describe(MemorySignal::futex,
                         "woken by futex; the kernel exchanges everything, page tables included");
  m.create = [](const DomainOptions& o) { return make_memory_domain(MemorySignal::futex, o); };
  return m;
}

Mechanism process_spin_mechanism() {
  Mechanism m = describe(MemorySignal::spin,
                         "both sides spin, each on its own CPU; nothing is exchanged but two cache "
                         "lines, and a CPU is burnt");
  m.unavailable = [] {
    return another_cpu() < 0 ? std::string(
                                   "needs two CPUs, this process may use one; run it with "
                                   "more (taskset, cpuset)")
                             : std::string();
  };
  m.create = [](const DomainOptions& o) { return make_memory_domain(MemorySignal::spin, o); };
  return m;
}

}  // namespace missive::domains
