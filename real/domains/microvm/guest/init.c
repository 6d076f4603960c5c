/* The first process of a microVM, and in a child of it the service: static, without a C library. The
 * child is nobody, with bounded memory and number of processes; when it ends, the first process tells
 * the host how. */
#include "channel.h"

#include <stddef.h>

#include "../../service/service.h"

enum {
  kRead = 0,
  kWrite = 1,
  kOpen = 2,
  kMmap = 9,
  kIoctl = 16,
  kFork = 57,
  kExit = 60,
  kWait = 61,
  kSetuid = 105,
  kSetgid = 106,
  kSetrlimit = 160,
  kMount = 165,
  kReboot = 169,
  kIopl = 172
};
enum { kReadWrite = 2, kNoTerminal = 0400, kNobody = 65534 };
enum { kNumberOfProcesses = 6, kAddressSpace = 9 }; /* RLIMIT_ */

static int64_t system_call(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d, int64_t e,
                           int64_t f) {
  int64_t result;
  register int64_t r10 __asm__("r10") = d;
  register int64_t r8 __asm__("r8") = e;
  register int64_t r9 __asm__("r9") = f;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

static int64_t text(const char* s) { return (int64_t)(uintptr_t)s; }

static int64_t port; /* descriptor of the serial port */

/* As struct termios of the kernel: no line discipline, every byte at once. */
static int open_port(void) {
  static const struct {
    uint32_t input, output, control, local;
    uint8_t line, characters[19];
  } raw = {0, 0, 0x1002 | 0x30 | 0x80 | 0x800 /* 115200, 8 bits, read, no modem */, 0, 0,
           {0, 0, 0, 0, 0, 0, 1 /* VMIN */}};
  port = system_call(kOpen, text("/dev/ttyS0"), kReadWrite | kNoTerminal, 0, 0, 0, 0);
  if (port < 0) return 0;
  if (system_call(kIoctl, port, 0x5402 /* TCSETS */, (int64_t)(uintptr_t)&raw, 0, 0, 0) != 0)
    return 0;
  /* With its FIFO on, the port waits four characters' time for more before it interrupts. */
  if (system_call(kIopl, 3, 0, 0, 0, 0, 0) != 0) return 0;
  __asm__ volatile("outb %0, %1" : : "a"((uint8_t)0), "Nd"((uint16_t)0x3fa));
  return system_call(kIopl, 0, 0, 0, 0, 0, 0) == 0;
}

static uint8_t* map(int64_t memory, uint64_t bytes) {
  const int64_t at = system_call(kMmap, 0, (int64_t)bytes, 3 /* read, write */, 1 /* MAP_SHARED */,
                                 memory, MISSIVE_MICROVM_CHANNEL);
  return at < 0 && at > -4096 ? 0 : (uint8_t*)(uintptr_t)at;
}

static void ring(void) { system_call(kWrite, port, text("."), 1, 0, 0, 0); }

static void end(struct missive_control* control, int32_t step, int32_t error) {
  if (control) {
    control->start_error = error;
    __atomic_store_n(&control->start_step, step, __ATOMIC_RELEASE);
    ring();
  }
  for (;;) /* the machine has no power switch, but a reset, on which its emulator ends */
    system_call(kReboot, 0xfee1dead, 672274793, 0x1234567 /* RESTART */, 0, 0, 0);
}

static void limit(int64_t which, uint64_t value) {
  const uint64_t both[2] = {value, value};
  system_call(kSetrlimit, which, (int64_t)(uintptr_t)both, 0, 0, 0, 0);
}

static void serve(struct missive_control* control, uint8_t* memory, uint64_t total) {
  limit(kNumberOfProcesses, 16);
  limit(kAddressSpace, total + (32 << 20));
  if (system_call(kSetgid, kNobody, 0, 0, 0, 0, 0) != 0 ||
      system_call(kSetuid, kNobody, 0, 0, 0, 0, 0) != 0)
    system_call(kExit, 120, 0, 0, 0, 0, 0);
  for (;;) {
    uint8_t byte;
    __atomic_store_n(&control->turn, MISSIVE_TURN_HOST, __ATOMIC_RELEASE);
    ring();
    while (__atomic_load_n(&control->turn, __ATOMIC_ACQUIRE) != MISSIVE_TURN_SERVICE)
      if (system_call(kRead, port, (int64_t)(uintptr_t)&byte, 1, 0, 0, 0) < 0)
        system_call(kExit, 121, 0, 0, 0, 0, 0);
    control->answer = missive_guest(control->entry, memory + control->request_at, control->size,
                                    memory + control->reply_at, control->capacity);
  }
}

__attribute__((used)) void init_main(void) {
  int status = 0;
  system_call(kMount, text("dev"), text("/dev"), text("devtmpfs"), 0, 0, 0);
  const int64_t device = system_call(kOpen, text("/dev/mem"), kReadWrite, 0, 0, 0, 0);
  uint8_t* memory = map(device, MISSIVE_CONTROL_BYTES);
  struct missive_control* control = (struct missive_control*)(void*)memory;
  if (!memory || !open_port()) end(control, MISSIVE_MICROVM_FAILED, 1);
  const uint64_t total = control->total;
  memory = map(device, total);
  if (!memory) end(control, MISSIVE_MICROVM_FAILED, 2);
  control = (struct missive_control*)(void*)memory;
  const int64_t child = system_call(kFork, 0, 0, 0, 0, 0, 0);
  if (child < 0) end(control, MISSIVE_MICROVM_FAILED, 3);
  if (child == 0) serve(control, memory, total);
  for (;;) { /* orphans of the service come here too */
    const int64_t ended = system_call(kWait, -1, (int64_t)(uintptr_t)&status, 0, 0, 0, 0);
    if (ended == child || ended < 0) break;
  }
  end(control, MISSIVE_MICROVM_ENDED, status);
}

/* The kernel enters with the stack aligned to 16; a function expects it 8 off, as after a call. */
__asm__(
    ".global _start\n"
    "_start: xor %ebp,%ebp\n"
    "call init_main\n");
