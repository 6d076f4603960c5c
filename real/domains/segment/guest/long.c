/* What a hostile guest runs once it has left its segment: 64-bit code in the same bytes of memory,
 * entered with edi, the offset of its call, and esi, where the segment lies; the stack pointer is
 * an offset, too. It goes back as it came. */
#include "../../service/service.h"
#include "segment.h"

__asm__(
    ".pushsection .start, \"ax\"\n"
    ".globl _start\n"
    "_start:\n"
    "  mov %esi, %ebx\n"
    "  mov %esp, %ebp\n"
    "  add %rbx, %rbp\n"
    "  mov %edi, %edi\n"
    "  add %rbx, %rdi\n"
    "  mov %rbp, %rsp\n"
    "  and $-16, %rsp\n"
    "  mov %ss, %r12d\n"
    "  call missive_segment_long\n"
    "  mov %r12d, %ss\n" /* a system call has loaded the kernel's */
    "  mov %rbp, %rax\n"
    "  mov %rbp, %rsp\n"
    "  sub %rbx, %rsp\n"
    "  ljmpl *(%rax)\n"
    ".popsection\n");

void missive_segment_long(struct missive_segment_call* call) {
  const uint64_t base = call->base;
  call->answer = missive_attack((int32_t)call->entry, (const uint8_t*)(base + call->request),
                                call->size, (uint8_t*)(base + call->reply), call->capacity);
}
