/* What the 32-bit guest, its 64-bit intruder and the host agree on. */
#ifndef MISSIVE_SEGMENT_H
#define MISSIVE_SEGMENT_H

#include <stdint.h>

/* Offsets into the segment: a page nobody may touch, the stack, the image. */
#define MISSIVE_SEGMENT_STACK 0x1000
#define MISSIVE_SEGMENT_IMAGE 0x11000

/* Entries from here on are the attacks of attack.h from 100 on, as 32-bit code that stays inside:
 * what a stray guest does and a hostile one need not be content with. */
#define MISSIVE_SEGMENT_STRAY 200

/* Entry of this guest alone: loads FS and GS with what is none of the host's, and returns; with a
 * request that is not empty, it strays instead. */
#define MISSIVE_SEGMENT_SPOIL 90

struct missive_segment_call {
  uint32_t entry, request, size, reply, capacity, base; /* offsets, but for `base` */
  int64_t answer;
};

#endif
