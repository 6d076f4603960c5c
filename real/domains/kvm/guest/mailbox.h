/* Where things lie in a microVM's memory, and the page through which host and guest talk. Guest
 * addresses are physical addresses. The first 2 MiB hold the page tables and are out of the guest's
 * reach: a null pointer faults, and so does a stack that grows out of its bottom.
 *
 *     0x000000  page tables, task state (4 pages)
 *     0x200000  stack, 64 KiB
 *     0x210000  mailbox, one page
 *     0x211000  image (flat binary, entered at its first byte), then request, reply, shared memory
 */
#ifndef MISSIVE_KVM_MAILBOX_H
#define MISSIVE_KVM_MAILBOX_H

#define MISSIVE_KVM_STACK_BOTTOM 0x200000
#define MISSIVE_KVM_STACK_TOP 0x210000
#define MISSIVE_KVM_MAILBOX 0x210000
#define MISSIVE_KVM_IMAGE 0x211000 /* layout.lds says the same */
/* `out` to this port hands over to the host: once when the guest is ready, then after each call. */
#define MISSIVE_KVM_PORT 0x10

#ifndef __ASSEMBLER__
#include <stdint.h>

struct missive_kvm_mailbox {
  uint64_t entry;
  uint64_t request;
  uint64_t size;
  uint64_t reply;
  uint64_t capacity;
  int64_t answer;
};
#endif

#endif
