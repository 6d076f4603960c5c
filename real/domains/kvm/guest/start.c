/* The first code of a microVM, at user privilege from the start: there is no guest kernel. It waits
 * in `out`, so that each KVM_RUN is one call and no register has to be set for it. */
#include "../../service/service.h"
#include "mailbox.h"

__asm__(
    ".section .start, \"ax\"\n"
    ".globl _start\n"
    "_start:\n"
    "1: out %al, $" /* the host wakes us behind this instruction */
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
    TEXT(MISSIVE_KVM_PORT) "\n"
    "  mov $" TEXT(MISSIVE_KVM_STACK_TOP) ", %esp\n"
    "  xor %ebp, %ebp\n"
    "  cld\n"
    "  call serve\n"
    "  jmp 1b\n"
    ".previous\n");

__attribute__((used)) void serve(void) {
  volatile struct missive_kvm_mailbox* box =
      (volatile struct missive_kvm_mailbox*)MISSIVE_KVM_MAILBOX;
  box->answer = missive_guest((int32_t)box->entry, (const uint8_t*)box->request, box->size,
                              (uint8_t*)box->reply, box->capacity);
}
