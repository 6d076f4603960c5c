#include "real/launch/init/system.h"

#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>

namespace missive::launch::init {

namespace {

int error_of_last_call = 0;
constexpr long kLastErrno = 4095;  // results from -4095 to -1 are errors on every architecture

}  // namespace

int& last_error() { return error_of_last_call; }

long settle(long result) {
  if (result >= 0 || result < -kLastErrno) return result;
  error_of_last_call = static_cast<int>(-result);
  return -1;
}

// clone(2) with a stack of its own: what is on it at first are the function and its argument.
extern "C" long missive_init_clone(long flags, void* stack);
__asm__(
    ".pushsection .text\n"
    ".type missive_init_clone, @function\n"
    "missive_init_clone:\n"
    "  movl $56, %eax\n"  // SYS_clone
    "  xorl %edx, %edx\n"
    "  xorl %r10d, %r10d\n"
    "  xorl %r8d, %r8d\n"
    "  syscall\n"
    "  testq %rax, %rax\n"
    "  jnz 1f\n"
    "  xorl %ebp, %ebp\n"
    "  popq %rax\n"
    "  popq %rdi\n"
    "  call *%rax\n"
    "  hlt\n"
    "1: ret\n"
    ".size missive_init_clone, . - missive_init_clone\n"
    // Where the kernel enters: the stack is aligned, holds argc, and nothing returns from here.
    ".globl _start\n"
    ".type _start, @function\n"
    "_start:\n"
    "  xorl %ebp, %ebp\n"
    "  call missive_init_main\n"
    "  hlt\n"
    ".size _start, . - _start\n"
    ".popsection\n");

pid_t run_sharing_memory(void (*what)(void*), void* context, char* stack_end) {
  void** const stack = reinterpret_cast<void**>(stack_end) - 2;  // stays aligned to 16 bytes
  stack[0] = reinterpret_cast<void*>(what);
  stack[1] = context;
  const long pid = missive_init_clone(CLONE_VM | CLONE_VFORK | SIGCHLD, stack);
  if (pid >= 0) return static_cast<pid_t>(pid);
  error_of_last_call = static_cast<int>(-pid);
  return -1;
}

void leave(int status) {
  for (;;) call(SYS_exit_group, status);
}

}  // namespace missive::launch::init
