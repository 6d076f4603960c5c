#include "real/domains/trap.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "models/error.h"
#include "real/domains/futex.h"

namespace missive::domains {

namespace trap_detail {
constinit thread_local ThreadState state;
}

namespace {

using trap_detail::state;
using trap_detail::ThreadState;

// A real-time signal that nothing else in this program uses (signal(7)); ignored where it comes
// too late.
int overdue_signal() { return SIGRTMIN + 5; }

constexpr int kFaults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
struct sigaction previous[std::size(kFaults)];

std::atomic<std::uint64_t (*)(std::uint16_t)> thread_pointer_of_segment{nullptr};

std::uint16_t code_segment_of(const ucontext_t& context) {
  return static_cast<std::uint16_t>(context.uc_mcontext.gregs[REG_CSGSFS]);
}

std::atomic<std::uint64_t (*)()> thread_pointer_of_guest{nullptr};

// First of all in a handler, and until its end: this program's thread pointer, when the interrupted
// code had another.
class HostThreadPointer {
 public:
  [[gnu::always_inline]] explicit HostThreadPointer(const void* context) {
    constexpr std::uint16_t kLocalTable = 4;  // of a selector
    const std::uint16_t code = code_segment_of(*static_cast<const ucontext_t*>(context));
    std::uint64_t base = 0;
    if ((code & kLocalTable) != 0) {
      const auto find = thread_pointer_of_segment.load(std::memory_order_relaxed);
      if (find != nullptr) base = find(code);
    } else {
      const auto find = thread_pointer_of_guest.load(std::memory_order_relaxed);
      if (find != nullptr) base = find();
    }
    if (base == 0) return;
    changed_ = true;
    asm volatile("rdfsbase %0" : "=r"(before_));
    asm volatile("mov %0, %%fs\n wrfsbase %1" : : "r"(0), "r"(base) : "memory");
  }
  [[gnu::always_inline]] ~HostThreadPointer() {
    if (changed_) asm volatile("wrfsbase %0" : : "r"(before_) : "memory");
  }
  HostThreadPointer(const HostThreadPointer&) = delete;
  HostThreadPointer& operator=(const HostThreadPointer&) = delete;

 private:
  std::uint64_t before_ = 0;
  bool changed_ = false;
};

// Frames of contained code are probed page by page (-fstack-clash-protection, Rust's stack probes),
// so an overflow faults near the stack pointer, which is below the frame that made the call: the
// second word of __builtin_setjmp's buffer after the frame pointer and the address to resume at.
bool is_stack_overflow(const siginfo_t& info, const ucontext_t& context) {
  constexpr std::uintptr_t kNear = 64 << 10;
  const auto stack_pointer = static_cast<std::uintptr_t>(context.uc_mcontext.gregs[REG_RSP]);
  const auto address = reinterpret_cast<std::uintptr_t>(info.si_addr);
  return stack_pointer < reinterpret_cast<std::uintptr_t>(state.jump[2]) &&
         address + kNear >= stack_pointer && address < stack_pointer + kNear;
}

void hand_on(int signal, siginfo_t* info, void* context) {
  const auto which = std::find(std::begin(kFaults), std::end(kFaults), signal) - kFaults;
  const struct sigaction& before = previous[which];
  if (before.sa_flags & SA_SIGINFO) return before.sa_sigaction(signal, info, context);
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
    return before.sa_handler(signal);
  // Faults again on return, now with nobody to catch it.
  struct sigaction fatal = {};
  fatal.sa_handler = SIG_DFL;
  ::sigaction(signal, &fatal, nullptr);
}

[[gnu::noinline]] void judge_fault(int signal, siginfo_t* info, void* context) {
  const bool access = signal == SIGSEGV || signal == SIGBUS;
  const TrapScope* scope = state.active.load(std::memory_order_relaxed);
  if (scope != nullptr && scope->leave != nullptr) {
    if (info->si_code > 0 && scope->leave(signal, context)) return;
    return hand_on(signal, info, context);
  }
  if (scope != nullptr && info->si_code > 0 && scope->code_segment != 0 &&
      scope->code_segment == code_segment_of(*static_cast<ucontext_t*>(context)))
    raise_trap(access ? Trap::out_of_bounds : Trap::illegal);
  if (scope != nullptr && info->si_code > 0 && access) {
    const auto* address = static_cast<const std::byte*>(info->si_addr);
    const auto& guarded = scope->guarded;
    if (address >= guarded.data() && address < guarded.data() + guarded.size())
      raise_trap(Trap::out_of_bounds);
    if (is_stack_overflow(*info, *static_cast<ucontext_t*>(context)))
      raise_trap(Trap::stack_overflow);
  }
  hand_on(signal, info, context);
}

[[gnu::no_stack_protector, gnu::no_sanitize("address", "undefined", "thread")]] void on_fault(
    int signal, siginfo_t* info, void* context) {
  const HostThreadPointer own(context);
  judge_fault(signal, info, context);
}

[[gnu::noinline]] void judge_deadline(void* context) {
  ThreadState& t = state;
  const TrapScope* scope = t.active.load(std::memory_order_relaxed);
  // The call may have ended by itself meanwhile. This handler runs on the calling thread, so what
  // it sees cannot change under it.
  if (scope == nullptr ||
      t.overdue.load(std::memory_order_relaxed) != t.calls.load(std::memory_order_relaxed))
    return;
  if (scope->leave == nullptr) raise_trap(Trap::deadline);
  scope->leave(0, context);
}

[[gnu::no_stack_protector, gnu::no_sanitize("address", "undefined", "thread")]] void on_overdue(
    int, siginfo_t*, void* context) {
  const HostThreadPointer own(context);
  judge_deadline(context);
}

// Looks at every thread that calls from time to time and signals those whose call is overdue.
class Watchdog {
 public:
  struct Watched {
    ThreadState* state;
    pid_t thread;
    std::uint64_t seen = 0;
    std::chrono::steady_clock::time_point since;
  };

  void add(ThreadState* s) {
    const std::lock_guard lock(mutex_);
    watched_.push_back({s, static_cast<pid_t>(::syscall(SYS_gettid)), 0, {}});
  }
  void remove(ThreadState* s) {
    const std::lock_guard lock(mutex_);
    std::erase_if(watched_, [s](const Watched& w) { return w.state == s; });
  }

  void start(std::chrono::nanoseconds deadline) {
    if (deadline.count() == 0) return;
    const std::lock_guard lock(mutex_);
    // Two looks at a call are at most a quarter of its deadline apart, which decides how late it
    // may be noticed. Never more often again than the briefest deadline so far asks for.
    const auto pause = std::clamp(std::chrono::ceil<std::chrono::milliseconds>(deadline / 8),
                                  kShortestPause, kLongestPause);
    if (pause < pause_) {
      pause_ = pause;
      news_.fetch_add(1, std::memory_order_relaxed);
      futex_wake(news_, FutexScope::Private);
    }
    if (running_) return;
    // Signals that end the program belong to its own threads.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      std::thread([this] { watch(); }).detach();
      running_ = true;
    } catch (...) {
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      throw RunError("cannot start the watchdog of isolated domains: no thread to be had");
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  // Around fork(2): the child has neither this thread nor the threads it watched, except its own.
  void before_fork() { mutex_.lock(); }
  void after_fork_in_parent() { mutex_.unlock(); }
  void after_fork_in_child() {
    running_ = false;
    std::erase_if(watched_, [](const Watched& w) { return w.state != &state; });
    for (Watched& w : watched_) w.thread = static_cast<pid_t>(::syscall(SYS_gettid));
    mutex_.unlock();
  }

 private:
  static constexpr std::chrono::milliseconds kShortestPause{10}, kLongestPause{500};

  [[noreturn]] void watch() {
    for (;;) {
      std::chrono::milliseconds pause;
      const std::uint32_t news = news_.load(std::memory_order_relaxed);
      {
        const std::lock_guard lock(mutex_);
        for (Watched& w : watched_) look(w);
        pause = pause_;
      }
      futex_wait(news_, news, FutexScope::Private, pause);
    }
  }

  static void look(Watched& w) {
    const bool running = w.state->active.load(std::memory_order_acquire) != nullptr;
    const std::uint64_t calls = w.state->calls.load(std::memory_order_relaxed);
    const std::chrono::nanoseconds deadline(w.state->deadline_ns.load(std::memory_order_relaxed));
    const auto now = std::chrono::steady_clock::now();
    if (!running || calls != w.seen || deadline.count() == 0) {
      w.seen = calls;
      w.since = now;
    } else if (now - w.since >= deadline) {
      w.state->overdue.store(calls, std::memory_order_relaxed);
      ::syscall(SYS_tgkill, ::getpid(), w.thread, overdue_signal());
    }
  }

  std::mutex mutex_;
  std::vector<Watched> watched_;
  std::chrono::milliseconds pause_ = kLongestPause;
  std::atomic<std::uint32_t> news_{0};  // wakes the thread when the pause has become shorter
  bool running_ = false;
};

// Never destroyed: its thread outlives main().
Watchdog& watchdog() {
  static auto* const w = new Watchdog;
  return *w;
}

// The alternate stack of one thread. Always our own, because one that is there already may go with
// whoever put it there; only AddressSanitizer insists on its own, which lasts as long as the
// thread.
class AlternateStack {
 public:
  AlternateStack() {
#ifdef __SANITIZE_ADDRESS__
    stack_t present{};
    if (::sigaltstack(nullptr, &present) == 0 && !(present.ss_flags & SS_DISABLE)) return;
#endif
    // The frame of a signal is as large as the CPU's register state (getauxval(3), AT_MINSIGSTKSZ).
    size_ = (static_cast<std::size_t>(std::max(::sysconf(_SC_MINSIGSTKSZ), 0L)) + (64 << 10)) &
            ~std::size_t{4095};
    memory_ = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED) {
      memory_ = nullptr;
      throw RunError(std::string("cannot map a signal stack: ") + std::strerror(errno));
    }
    stack_t mine{};
    mine.ss_sp = memory_;
    mine.ss_size = size_;
    ::sigaltstack(&mine, nullptr);
  }
  AlternateStack(const AlternateStack&) = delete;
  AlternateStack& operator=(const AlternateStack&) = delete;
  ~AlternateStack() {
    if (memory_ == nullptr) return;
    stack_t present{};
    ::sigaltstack(nullptr, &present);
    if (present.ss_sp == memory_) {
      stack_t off{};
      off.ss_flags = SS_DISABLE;
      ::sigaltstack(&off, nullptr);
    }
    ::munmap(memory_, size_);
  }

 private:
  void* memory_ = nullptr;
  std::size_t size_ = 0;
};

// What a calling thread owns, until it ends.
struct Armed {
  AlternateStack stack;
  Armed() {
    watchdog().add(&state);
    state.armed = true;
  }
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;
  ~Armed() {
    watchdog().remove(&state);
    state.armed = false;
  }
};

void install(int signal, void (*handler)(int, siginfo_t*, void*), struct sigaction* before) {
  struct sigaction action = {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
  if (::sigaction(signal, &action, before) != 0)
    throw RunError(std::string("cannot install a signal handler: ") + std::strerror(errno));
}

}  // namespace

Outcome trap_detail::ended_by_trap() {
  state.active.store(nullptr, std::memory_order_relaxed);
  return state.outcome;
}

void trap_detail::arm_thread() { static thread_local const Armed armed; }

void raise_trap(Trap trap, int code) {
  state.outcome = {trap, code};
  __builtin_longjmp(state.jump, 1);
}

void set_thread_pointer_of_segment(std::uint64_t (*find)(std::uint16_t code_segment)) {
  thread_pointer_of_segment.store(find, std::memory_order_relaxed);
}

void set_thread_pointer_of_guest(std::uint64_t (*find)()) {
  thread_pointer_of_guest.store(find, std::memory_order_relaxed);
}

void prepare_traps(std::chrono::nanoseconds deadline) {
  static std::once_flag once;
  std::call_once(once, [] {
    install(overdue_signal(), on_overdue, nullptr);
    for (std::size_t i = 0; i < std::size(kFaults); ++i)
      install(kFaults[i], on_fault, &previous[i]);
    ::pthread_atfork([] { watchdog().before_fork(); }, [] { watchdog().after_fork_in_parent(); },
                     [] { watchdog().after_fork_in_child(); });
  });
  watchdog().start(deadline);
}

std::string describe(Trap trap) {
  switch (trap) {
    case Trap::none:
      return "no fault";
    case Trap::out_of_bounds:
      return "touched memory outside its own";
    case Trap::stack_overflow:
      return "overflowed the stack";
    case Trap::deadline:
      return "did not answer within its deadline";
    case Trap::illegal:
      return "executed what cannot be executed";
    case Trap::guest:
      return "failed a check of its own";
  }
  return "unknown fault";
}

}  // namespace missive::domains
