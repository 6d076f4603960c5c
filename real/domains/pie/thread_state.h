#pragma once
// The host's side of a thread that calls programs in this process. Internal to the ways in and out
// (gate.h, pkey/gate.h), whose assembly knows the offsets.

#include <csignal>
#include <cstddef>
#include <cstdint>

#include "real/domains/pie/gate.h"

namespace missive::domains::pie {

// GS base, which 64-bit user code does not use, points at it, so that code entered with the guest's
// FS base finds it.
struct ThreadState {
  ThreadState* self = nullptr;  // 0
  std::uint64_t fs = 0;         // 8: the host's thread pointer
  std::uint64_t stack = 0;      // 16: the host's stack while the guest runs
  volatile char selector = 0;   // 24: 0 system calls go to the kernel, 1 they are caught
  Guest* guest = nullptr;       // 32
  // 40: another selector, on a page that guests behind protection keys may read; null: none
  volatile char* keyed_selector = nullptr;
  volatile char* armed = nullptr;  // the one that Syscall User Dispatch looks at; null: it is off
};
// Constant-initialised, so that an access is one instruction and not a guarded one.
extern constinit thread_local ThreadState state;

// ---- what both ways in and out are made of ----

// What the System V ABI for AMD64 (3.2.1) asks a callee to preserve, in assembly.
#define MISSIVE_SAVE_REGISTERS \
  "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
#define MISSIVE_RESTORE_REGISTERS \
  "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"

inline std::uint64_t read_fs() {
  std::uint64_t value;
  asm volatile("rdfsbase %0" : "=r"(value));
  return value;
}
inline void write_fs(std::uint64_t value) { asm volatile("wrfsbase %0" : : "r"(value) : "memory"); }
// Of this thread, by GS base: whatever FS base is. Null before the first arm_thread().
inline ThreadState* state_by_gs() {
  ThreadState* thread;
  asm volatile("rdgsbase %0" : "=r"(thread));
  return thread;
}

// work() as a call into `guest`, of which handlers can tell from the thread's state.
template <typename Work>
auto on_behalf_of(ThreadState& thread, Guest& guest, const Work& work) {
  struct Within {
    ThreadState& thread;
    ~Within() { thread.guest = nullptr; }
  };
  thread.guest = &guest;
  const Within within{thread};
  return work();
}

// Syscall User Dispatch on in this thread, by that selector; and off. Throws RunError.
void arm_thread(volatile char* selector);
void disarm_thread() noexcept;

// A handler as the kernel takes it, on the alternate stack, not blocking its own signal, that is
// left by the one instruction whose system call is never caught. `blocked` has a bit for each
// signal that must wait for its end, the first for signal 1. Throws RunError.
void set_raw_handler(int number, void (*handler)(int, siginfo_t*, void*),
                     std::uint64_t more_flags = 0, std::uint64_t blocked = 0);

}  // namespace missive::domains::pie
