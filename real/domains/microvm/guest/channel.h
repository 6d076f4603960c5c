/* How a microVM with a kernel of its own and its host talk. The end of the machine's memory is kept
 * away from the kernel (memmap=): it is what guests/shared_service.h describes, control block
 * first, and the host has it mapped. A byte on the first serial port, either way, says "look at
 * `turn`". What the byte is does not matter, and neither does one too many: firmware writes there
 * too. */
#ifndef MISSIVE_MICROVM_CHANNEL_H
#define MISSIVE_MICROVM_CHANNEL_H

#include "../../guests/shared_service.h"

/* Guest-physical address of the control block: all memory below is the kernel's. */
#define MISSIVE_MICROVM_CHANNEL 0x8000000

/* Values of `start_step`. */
enum missive_microvm_step {
  MISSIVE_MICROVM_RUNNING = 0,
  MISSIVE_MICROVM_ENDED = 1, /* the service's process ended, `start_error` is its wait status */
  MISSIVE_MICROVM_FAILED = 2 /* the start failed, `start_error` says at which call, see init.c */
};

#endif
