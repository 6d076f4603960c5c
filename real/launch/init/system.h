#pragma once
// What init has in place of a C library: system calls. It is one of the first things that a launch
// waits for, and a static glibc program was seen to reach its first instruction 0.26 ms later (328
// and 70 us); asking the processor what it can do, which traps in a virtual machine, is the likely
// reason.
//
// Every call returns what the kernel does, or -1 and the reason in last_error().

#include <cstddef>

#include <sys/types.h>

#include "real/launch/init/memory.h"
#include "real/launch/init/raw_call.h"

namespace missive::launch::init {

int& last_error();  // errno

// `result` of raw_call() as system calls return it in C.
long settle(long result);

// call(SYS_open, "/dev/null", O_RDONLY): at most five arguments.
template <class... Arguments>
long call(long number, Arguments... arguments) {
  return settle(raw_call(number, arguments...));
}

template <class... Arguments>
int call_int(long number, Arguments... arguments) {
  return static_cast<int>(call(number, arguments...));
}

// As vfork(2): runs `what(context)` in a new process that shares this one's memory, on `stack`, and
// returns its pid once it has done exec or ended; `what` must not return. -1 on failure.
pid_t run_sharing_memory(void (*what)(void*), void* context, char* stack_end);

[[noreturn]] void leave(int status);

}  // namespace missive::launch::init
