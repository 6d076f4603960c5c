/* The hostile guest of the attack matrix. Freestanding like service.c. Guests that run Linux x86-64
 * code are compiled with -DMISSIVE_HAS_SYSCALLS and then attack by raw system calls too: no library
 * that a mechanism might have replaced is in the way. */
#include "attack.h"

#include "service.h"

/* Accesses go through volatile, so that no compiler may drop, merge or turn them into calls of
 * memcpy(). */
static uint64_t word(const uint8_t* argument, size_t size, size_t index) {
  uint64_t value = 0;
  if (size < 8 * (index + 1)) return 0;
  for (size_t i = 8; i-- > 0;)
    value = value << 8 | ((const volatile uint8_t*)argument)[8 * index + i];
  return value;
}

static int64_t put_word(uint8_t* reply, size_t capacity, size_t index, uint64_t value) {
  if (capacity < 8 * (index + 1)) return (int64_t)(8 * index);
  for (size_t i = 0; i < 8; ++i)
    ((volatile uint8_t*)reply)[8 * index + i] = (uint8_t)(value >> 8 * i);
  return (int64_t)(8 * (index + 1));
}

static int64_t wild_read(uint64_t address, uint64_t length, uint8_t* reply, size_t capacity) {
  const volatile uint8_t* from = (const volatile uint8_t*)(uintptr_t)address;
  if (length > capacity) length = capacity;
  for (size_t i = 0; i < length; ++i) ((volatile uint8_t*)reply)[i] = from[i];
  return (int64_t)length;
}

/* The caller's frame is passed on, so that the recursion cannot become a loop. */
__attribute__((noinline)) static uint64_t recurse(uint64_t depth, const volatile uint8_t* outer) {
  volatile uint8_t frame[1024];
  frame[0] = outer ? (uint8_t)(outer[0] + 1) : 1;
  if (depth == 0) return frame[0];
  return recurse(depth - 1, frame) + frame[0];
}

static int64_t spin(void) {
  volatile uint64_t turns = 0;
  for (;;) turns = turns + 1;
  return 0;
}

static int64_t corrupt(const uint8_t* argument, size_t size) {
  volatile uint8_t* mine = (volatile uint8_t*)(uintptr_t)argument;
  for (size_t i = 0; i < size; ++i) mine[i] = (uint8_t)~mine[i];
  return 0;
}

#if defined(MISSIVE_HAS_SYSCALLS) && defined(__x86_64__)

enum {
  kOpen = 2,
  kMmap = 9,
  kRead = 0,
  kClose = 3,
  kPause = 34,
  kNanosleep = 35,
  kGetpid = 39,
  kFork = 57,
  kKill = 62
};
enum { kGetppid = 110, kExitGroup = 231, kSigkill = 9 };

static int64_t system_call(int64_t number, int64_t a, int64_t b, int64_t c, int64_t d) {
  int64_t result;
  register int64_t r10 __asm__("r10") = d;
  register int64_t r8 __asm__("r8") = -1; /* the descriptor of mmap() */
  register int64_t r9 __asm__("r9") = 0;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

/* In 2 MiB pieces: a limit stops it between two of them, and what it got stays touched. */
static int64_t memory_hog(uint64_t bound, uint8_t* reply, size_t capacity) {
  const uint64_t piece = 2 << 20;
  uint64_t got = 0;
  while (got < bound) {
    int64_t at =
        system_call(kMmap, 0, (int64_t)piece, 3 /* read, write */, 0x22 /* private, anonymous */);
    if (at < 0 && at > -4096) break;
    for (uint64_t i = 0; i < piece; i += 4096) ((volatile uint8_t*)(uintptr_t)at)[i] = 1;
    got += piece;
  }
  return put_word(reply, capacity, 0, got);
}

static int64_t fork_bomb(uint64_t children, uint8_t* reply, size_t capacity) {
  uint64_t born = 0;
  int64_t refused = 0;
  while (born < children) {
    int64_t pid = system_call(kFork, 0, 0, 0, 0);
    if (pid == 0) {
      const int64_t two_seconds[2] = {2, 0};
      system_call(kNanosleep, (int64_t)(uintptr_t)two_seconds, 0, 0, 0);
      for (;;) system_call(kExitGroup, 0, 0, 0, 0);
    }
    if (pid < 0) {
      refused = -pid;
      break;
    }
    ++born;
  }
  put_word(reply, capacity, 0, born);
  return put_word(reply, capacity, 1, (uint64_t)refused);
}

static int64_t open_host_file(const uint8_t* path, size_t size, uint8_t* reply, size_t capacity) {
  size_t length = 0;
  int64_t got = 0;
  int64_t fd;
  uint8_t owned[512];
  while (length < size && path[length] != 0) ++length;
  if (length == size) return -1;
  fd = system_call(kOpen, (int64_t)(uintptr_t)path, 0, 0, 0);
  if (fd >= 0) {
    got = system_call(kRead, fd, (int64_t)(uintptr_t)reply, (int64_t)capacity, 0);
    system_call(kClose, fd, 0, 0, 0);
  }
  if (length + 7 <= sizeof owned) {
    for (size_t i = 0; i < length; ++i) ((volatile uint8_t*)owned)[i] = path[i];
    for (size_t i = 0; i < 7; ++i) ((volatile uint8_t*)owned)[length + i] = (uint8_t) ".owned"[i];
    fd = system_call(kOpen, (int64_t)(uintptr_t)owned, 0x41 /* write-only, create */, 0600, 0);
    if (fd >= 0) system_call(kClose, fd, 0, 0, 0);
  }
  return got > 0 ? got : 0;
}

static int64_t kill_parent(int64_t pid, int64_t spared) {
  int64_t parent = system_call(kGetppid, 0, 0, 0, 0);
  if (pid > 1) system_call(kKill, pid, kSigkill, 0, 0);
  if (parent > 1 && parent != spared) system_call(kKill, parent, kSigkill, 0, 0);
  system_call(kKill, 0, kSigkill, 0, 0);
  return 0;
}

static int64_t never_return(void) {
  for (;;) system_call(kPause, 0, 0, 0, 0);
  return 0;
}

#else

static int64_t not_applicable(uint8_t* reply, size_t capacity) {
  static const char text[] = MISSIVE_NOT_APPLICABLE;
  if (capacity < sizeof text - 1) return -2;
  for (size_t i = 0; i < sizeof text - 1; ++i) ((volatile uint8_t*)reply)[i] = (uint8_t)text[i];
  return (int64_t)(sizeof text - 1);
}

static int64_t fork_bomb(uint64_t children, uint8_t* reply, size_t capacity) {
  (void)children;
  return not_applicable(reply, capacity);
}

static int64_t open_host_file(const uint8_t* path, size_t size, uint8_t* reply, size_t capacity) {
  (void)path, (void)size;
  return not_applicable(reply, capacity);
}

static int64_t never_return(void) { return spin(); }

#ifdef __wasm__
static int64_t memory_hog(uint64_t bound, uint8_t* reply, size_t capacity) {
  const uint64_t page = 65536;
  uint64_t got = 0;
  while (got < bound) {
    size_t before = __builtin_wasm_memory_grow(0, 1);
    if (before == (size_t)-1) break;
    for (uint64_t i = 0; i < page; i += 4096) ((volatile uint8_t*)(before * page))[i] = 1;
    got += page;
  }
  return put_word(reply, capacity, 0, got);
}
#else
/* Nobody to ask for memory: takes what lies behind its own data until something stops it. */
static int64_t memory_hog(uint64_t bound, uint8_t* reply, size_t capacity) {
  static volatile uint8_t own;
  volatile uint8_t* from = &own;
  for (uint64_t got = 4096; got < bound; got += 4096) from[got] = from[got];
  return put_word(reply, capacity, 0, bound);
}
#endif

#endif

int64_t missive_attack(int32_t attack, const uint8_t* argument, size_t size, uint8_t* reply,
                       size_t capacity) {
  switch (attack) {
    case MISSIVE_WILD_READ:
    case MISSIVE_INHERITED_READ:
      return wild_read(word(argument, size, 0), word(argument, size, 1), reply, capacity);
    case MISSIVE_WILD_WRITE:
      *(volatile uint64_t*)(uintptr_t)word(argument, size, 0) = word(argument, size, 1);
      return 0;
    case MISSIVE_WILD_JUMP:
      ((void (*)(void))(uintptr_t)word(argument, size, 0))();
      return 0;
    case MISSIVE_STACK_OVERFLOW:
      return put_word(reply, capacity, 0, recurse(word(argument, size, 0), 0));
    case MISSIVE_ENDLESS_LOOP:
      return spin();
    case MISSIVE_MEMORY_HOG:
      return memory_hog(word(argument, size, 0), reply, capacity);
    case MISSIVE_FORK_BOMB:
      return fork_bomb(word(argument, size, 0), reply, capacity);
    case MISSIVE_OPEN_HOST_FILE:
      return open_host_file(argument, size, reply, capacity);
    case MISSIVE_KILL_PARENT:
#if defined(MISSIVE_HAS_SYSCALLS) && defined(__x86_64__)
      return kill_parent((int64_t)word(argument, size, 0), (int64_t)word(argument, size, 1));
#else
      return not_applicable(reply, capacity);
#endif
    case MISSIVE_CORRUPT_ARGUMENT:
      return corrupt(argument, size);
    case MISSIVE_CRASH:
      __builtin_trap();
    case MISSIVE_NEVER_RETURN:
      return never_return();
    case MISSIVE_OVERSIZED_REPLY:
      return (int64_t)capacity + (1 << 30);
    default:
      return -1;
  }
}

int64_t missive_guest(int32_t entry, const uint8_t* request, size_t size, uint8_t* reply,
                      size_t capacity) {
  return entry < MISSIVE_WILD_READ ? missive_service(entry, request, size, reply, capacity)
                                   : missive_attack(entry, request, size, reply, capacity);
}
