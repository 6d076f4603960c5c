/* The service as a program of its own: static, without a C library, driven through shared memory on
 * descriptor 3. What runs in picoprocesses and containers. It ends when the host does: its creators
 * see to that. */
#include "shared_service.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>

#include "../service/service.h"

enum {
  kMmap = 9,
  kClose = 3,
  kPrctl = 157,
  kFutex = 202,
  kExit = 60,
  kExitGroup = 231,
  kRestart = 219
};

static int64_t system_call(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e) {
  int64_t result;
  register int64_t r10 __asm__("r10") = d;
  register int64_t r8 __asm__("r8") = e;
  register int64_t r9 __asm__("r9") = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static void leave(int status) {
  for (;;) system_call(kExitGroup, status, 0, 0, 0, 0);
}

/* An allow list: whatever else is tried ends the process (seccomp(2)). */
static void give_up_system_calls(void) {
  static struct sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kFutex, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kExitGroup, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kExit, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kRestart, 1,
               0), /* a futex wait that a stop and continue interrupted */
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  static struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
  if (system_call(kPrctl, 38 /* PR_SET_NO_NEW_PRIVS */, 1, 0, 0, 0) != 0) leave(122);
  if (system_call(kPrctl, 22 /* PR_SET_SECCOMP */, SECCOMP_MODE_FILTER,
                  (int64_t)(uintptr_t)&program, 0, 0) != 0)
    leave(123);
}

static void hand_over(struct missive_control* control) {
  __atomic_store_n(&control->turn, MISSIVE_TURN_HOST, __ATOMIC_RELEASE);
  system_call(kFutex, (int64_t)(uintptr_t)&control->turn, 1 /* FUTEX_WAKE */, 1, 0, 0);
  while (__atomic_load_n(&control->turn, __ATOMIC_ACQUIRE) != MISSIVE_TURN_SERVICE) {
    system_call(kFutex, (int64_t)(uintptr_t)&control->turn, 0 /* FUTEX_WAIT */, MISSIVE_TURN_HOST,
                0, 0);
  }
}

static uint8_t* map(uint64_t bytes) {
  const int64_t at = system_call(kMmap, 0, (int64_t)bytes, 3 /* read, write */, 1 /* MAP_SHARED */,
                                 MISSIVE_MEMORY_FD);
  if (at < 0 && at > -4096) leave(121);
  return (uint8_t*)(uintptr_t)at;
}

void service_main(void) {
  uint8_t* memory = map(((struct missive_control*)(void*)map(MISSIVE_CONTROL_BYTES))->total);
  struct missive_control* const control = (struct missive_control*)(void*)memory;
  system_call(kClose, MISSIVE_MEMORY_FD, 0, 0, 0, 0);
  if (control->confine) give_up_system_calls();
  for (;;) {
    hand_over(control);
    control->answer = missive_guest(control->entry, memory + control->request_at, control->size,
                                    memory + control->reply_at, control->capacity);
  }
}

/* The kernel enters here with the stack aligned to 16; a function expects it 8 off, as after a
 * call. */
__asm__(
    ".global _start\n"
    "_start: xor %ebp,%ebp\n"
    "call service_main\n");
