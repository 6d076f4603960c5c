/* The memory that a domain in another process shares with its host: this block at offset 0,
 * messages behind it. Both sides read and write it, so neither may believe it: the host keeps what
 * matters in memory of its own and reads each field once. */
#ifndef MISSIVE_SHARED_SERVICE_H
#define MISSIVE_SHARED_SERVICE_H

#include <stdint.h>

enum { MISSIVE_CONTROL_BYTES = 4096, MISSIVE_MEMORY_FD = 3 };

/* Values of `turn`, a futex(2). */
enum missive_turn {
  MISSIVE_TURN_STARTING = 0,
  MISSIVE_TURN_GO = 1,      /* to a clone that waits for its place in the world */
  MISSIVE_TURN_HOST = 2,    /* the service waits; there is an answer after the first call */
  MISSIVE_TURN_SERVICE = 3, /* the service works */
};

struct missive_control {
  uint32_t turn;
  int32_t entry;
  uint64_t total;      /* bytes of this memory */
  uint64_t request_at; /* offsets into it */
  uint64_t size;
  uint64_t reply_at;
  uint64_t capacity;
  int64_t answer;
  uint32_t confine;   /* not 0: the service gives up all system calls but futex and exit before its
                         first call */
  int32_t start_step; /* where and why (errno) a start failed */
  int32_t start_error;
};

#endif
