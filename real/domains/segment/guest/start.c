/* The entry of the service as 32-bit code in a segment. The host has put six words and a far
 * pointer onto the stack, and comes here by a far jump; another one brings the answer back in
 * edx:eax. */
#include "segment.h"

#include "../../service/service.h"

__asm__(
    ".pushsection .start, \"ax\"\n"
    ".globl _start\n"
    "_start:\n"
    "  call missive_segment_serve\n"
    "  ljmp *24(%esp)\n"
    ".popsection\n"
    /* missive_segment_leave(address, call, base): a far return into 64-bit code at `address`, which
     * no limit holds, and back by the far pointer left on the stack. */
    ".pushsection .text\n"
    "missive_segment_leave:\n"
    "  push %ebp\n"
    "  push %ebx\n"
    "  push %esi\n"
    "  push %edi\n"
    "  mov 20(%esp), %eax\n"
    "  mov 24(%esp), %edi\n"
    "  mov 28(%esp), %esi\n"
    "  push %cs\n"
    "  push $1f\n"
    "  push $0x33\n" /* the kernel's 64-bit code segment, __USER_CS */
    "  push %eax\n"
    "  lret\n"
    "1:\n"
    "  add $8, %esp\n"
    "  pop %edi\n"
    "  pop %esi\n"
    "  pop %ebx\n"
    "  pop %ebp\n"
    "  ret\n"
    /* attack.c once more, as 64-bit code for any address. */
    "  .balign 16\n"
    "missive_segment_long_code:\n"
    "  .incbin \"" MISSIVE_SEGMENT_LONG_CODE
    "\"\n"
    ".popsection\n");

void missive_segment_leave(uint32_t address, struct missive_segment_call* call, uint32_t base);
extern const uint8_t missive_segment_long_code[];

/* A hostile guest does not stay: whoever may execute any instruction may execute this one. */
static int64_t attack(int32_t entry, const uint8_t* request, size_t size, uint8_t* reply,
                      size_t capacity, uint32_t base) {
  struct missive_segment_call call = {(uint32_t)entry,
                                      (uint32_t)(uintptr_t)request,
                                      size,
                                      (uint32_t)(uintptr_t)reply,
                                      capacity,
                                      base,
                                      0};
  missive_segment_leave(base + (uint32_t)(uintptr_t)missive_segment_long_code, &call, base);
  return call.answer;
}

static int64_t spoil(size_t size) {
  __asm__ volatile("push %%ds\n pop %%fs\n push %%ds\n pop %%gs" : : : "memory");
  if (size > 0) *(volatile uint32_t*)0xfffffff0u = 1;
  return 0;
}

int64_t missive_segment_serve(int32_t entry, const uint8_t* request, size_t size, uint8_t* reply,
                              size_t capacity, uint32_t base) {
  if (entry == MISSIVE_SEGMENT_SPOIL) return spoil(size);
  if (entry < 100) return missive_service(entry, request, size, reply, capacity);
  if (entry < MISSIVE_SEGMENT_STRAY) return attack(entry, request, size, reply, capacity, base);
  return missive_attack(entry - MISSIVE_SEGMENT_STRAY + 100, request, size, reply, capacity);
}
