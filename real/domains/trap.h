#pragma once
// Calls in this process that may fail without taking it down: the way back out of code that traps,
// overflows the stack or never ends. For code that holds no lock, no memory and no destructor while
// it runs (wasm2c's output, a no_std Rust crate): it is left by restoring the caller's registers,
// nothing is unwound.
//
// Cost of an untroubled call: a few stores. __builtin_setjmp (GCC manual, "Nonlocal Gotos") notes
// frame, stack pointer and resumption address, and lets the compiler restore the rest. No signal
// mask is saved (sigsetjmp(3) with a mask is a system call, twenty times the price of the call),
// because the handlers are installed with SA_NODEFER and an empty mask: there is none to restore.
//
// Faults are SIGSEGV, SIGBUS, SIGILL and SIGFPE on an alternate stack, one for each thread that
// ever called (sigaltstack(2)). A fault that is not the contained code's own goes to whoever
// handled the signal before, so that a crash of this program stays one.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace missive::domains {

enum class Trap : int {
  none = 0,
  out_of_bounds,  // touched its own guarded memory where it may not
  stack_overflow,
  deadline,
  illegal,  // an instruction that cannot be executed; only of code in a segment of its own
  guest,    // its own check failed; Outcome::code says which
};

struct Outcome {
  Trap trap = Trap::none;
  int code = 0;  // of Trap::guest
};

// Whose call it is: guarded memory whose faults are the call's own (stack overflow is recognised by
// itself), and how long it may take, 0 for ever. Outlives its calls.
struct TrapScope {
  std::span<const std::byte> guarded;
  std::chrono::nanoseconds deadline{0};
  // Selector of a segment of this process (x86): whatever code in it does wrong is the call's own.
  std::uint16_t code_segment = 0;
  // For code that has a way out of its own: called by a signal's handler instead of leaving by a
  // jump, when the call is overdue (`fault` is 0) or has met a fault (the signal). Execution goes
  // on as `context`, a ucontext_t, says then. False: that fault is not the call's own.
  bool (*leave)(int fault, void* context) = nullptr;
};

// How a handler finds this program's thread pointer (FS base) when a signal has interrupted code in
// a segment of this process, which may have loaded FS. `find` is called with whatever that is, so
// it uses nothing thread-local.
void set_thread_pointer_of_segment(std::uint64_t (*find)(std::uint16_t code_segment));
// The same for 64-bit code that runs with an FS base of its own; `find` returns 0 where this
// program's is in place.
void set_thread_pointer_of_guest(std::uint64_t (*find)());

namespace trap_detail {

// Of one thread. The watchdog of deadlines reads the atomics from its own.
struct ThreadState {
  std::atomic<const TrapScope*> active{nullptr};  // of the call that runs
  std::atomic<std::uint64_t> calls{0};            // so that the watchdog can tell them apart
  std::atomic<std::int64_t> deadline_ns{0};
  std::atomic<std::uint64_t> overdue{0};  // number of the call that must end
  void* jump[5] = {};                     // as __builtin_setjmp wants it
  Outcome outcome;
  bool armed = false;
};
// Constant-initialised, so that an access is one instruction and not a guarded one.
extern constinit thread_local ThreadState state;

void arm_thread();
// What a contained call that was jumped out of came to.
Outcome ended_by_trap();

}  // namespace trap_detail

// Ends the contained call of this thread, for a check inside it that failed.
[[noreturn]] void raise_trap(Trap trap, int code = 0);

// Before a domain makes its first call: installs the handlers and, for a deadline other than 0, has
// the watchdog look often enough. Both stay; forked children call it again. Throws RunError.
void prepare_traps(std::chrono::nanoseconds deadline);

// Runs Work(argument); nothing in it may own anything, and it must not come here again. With a
// deadline, a call is ended no earlier than that, and at most a quarter of it or 20 ms later,
// whichever is more, as far as the watchdog's thread gets to run.
template <auto Work, typename Argument>
[[gnu::noinline]] Outcome run_contained(const TrapScope& scope, Argument& argument) {
  using namespace trap_detail;
  ThreadState& t = state;
  if (!t.armed) [[unlikely]]
    arm_thread();
  if (__builtin_setjmp(t.jump) != 0) {
    // Nothing this frame had in registers is relied on, not even an address the compiler kept:
    // another function looks the thread's state up.
    return ended_by_trap();
  }
  constexpr auto kRelaxed = std::memory_order_relaxed;
  t.deadline_ns.store(scope.deadline.count(), kRelaxed);
  t.calls.store(t.calls.load(kRelaxed) + 1, kRelaxed);
  t.active.store(&scope, std::memory_order_release);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  Work(argument);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  state.active.store(nullptr, kRelaxed);
  return {};
}

// Has the watchdog look at what happens while this lives, for a scope with `leave`. Cost: a few
// stores.
class Watched {
 public:
  explicit Watched(const TrapScope& scope) {
    trap_detail::ThreadState& t = trap_detail::state;
    if (!t.armed) [[unlikely]]
      trap_detail::arm_thread();
    t.deadline_ns.store(scope.deadline.count(), std::memory_order_relaxed);
    t.calls.store(t.calls.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    t.active.store(&scope, std::memory_order_release);
  }
  ~Watched() { trap_detail::state.active.store(nullptr, std::memory_order_relaxed); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;
};

// "touched memory outside its own", ... for messages.
std::string describe(Trap trap);

}  // namespace missive::domains
