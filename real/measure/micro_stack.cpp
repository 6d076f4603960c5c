// Primitives of crossings to another stack of the same thread. An exchange is measured as latency:
// the next one needs the stack pointer that this one loads.

#include <array>
#include <cstring>

#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"

#if !defined(__x86_64__)
#error "the exchanges of a stack are written for x86-64"
#endif

extern "C" void missive_micro_switch(void** keep, void* next);
extern "C" void missive_micro_entry();
extern "C" void missive_micro_entry_in_line();
// What the System V ABI for AMD64 (3.2.1) asks a callee to preserve; jumps back by `jmp`, because
// the processor's return stack knows nothing of the other stack.
asm(R"(
.pushsection .text
.p2align 4
.globl missive_micro_switch
.hidden missive_micro_switch
missive_micro_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.p2align 4
.globl missive_micro_entry
.hidden missive_micro_entry
missive_micro_entry:
  movq %r12, %rdi
  call *%rbx
  ud2
.p2align 4
.globl missive_micro_entry_in_line
.hidden missive_micro_entry_in_line
missive_micro_entry_in_line:
  movq %rbp, %rdi
  call *%rbx
  ud2
.popsection
)");

namespace missive::measure {

namespace {

// Batches of a fraction of a millisecond: most are over before the scheduler interrupts them.
constexpr std::uint64_t kFast = 50'000;

constexpr std::size_t kStack = 64 * 1024;
constexpr std::size_t kManyStacks = 8;

struct OtherStack {
  void* here = nullptr;
  void* there = nullptr;
  Mapping memory = Mapping::anonymous(kStack, "micro-measurement: stack");

  // What the first exchange finds on it.
  void begin_with(const void* frame, std::size_t size) {
    std::byte* at = memory.writable().data() + kStack - size - 8;
    std::memcpy(at, frame, size);
    there = at;
  }
};

void other_side(OtherStack* s) {
  for (;;) missive_micro_switch(&s->there, s->here);
}

void begin(OtherStack& s) {
  void* frame[8] = {};  // r15, r14, r13, r12, rbx, rbp, where to continue
  frame[3] = &s;
  frame[4] = reinterpret_cast<void*>(&other_side);
  frame[6] = reinterpret_cast<void*>(&missive_micro_entry);
  s.begin_with(frame, sizeof frame);
}

// In line, and only what the compiler cannot be told to save itself: where to go on and two
// registers.
struct Paused {
  void* next;
  void* rbx;
  void* rbp;
};

[[gnu::always_inline]] inline void exchange_stacks(void** mine, void* other) {
  asm volatile(
      "lea -128(%%rsp), %%rsp\n\t"
      "push %%rbp\n\t"
      "push %%rbx\n\t"
      "lea 1f(%%rip), %%rax\n\t"
      "push %%rax\n\t"
      "mov %%rsp, (%%rdi)\n\t"
      "mov %%rsi, %%rsp\n\t"
      "pop %%rax\n\t"
      "pop %%rbx\n\t"
      "pop %%rbp\n\t"
      "jmp *%%rax\n"
      "1:\n\t"
      "lea 128(%%rsp), %%rsp"
      : "+D"(mine), "+S"(other)
      :
      : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
        "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15", "cc", "memory");
}

void other_side_in_line(OtherStack* s) {
  for (;;) exchange_stacks(&s->there, s->here);
}

void begin_in_line(OtherStack& s) {
  const Paused paused{reinterpret_cast<void*>(&missive_micro_entry_in_line),
                      reinterpret_cast<void*>(&other_side_in_line), &s};
  s.begin_with(&paused, sizeof paused);
}

// There and back with each of `n` in turn.
template <std::size_t n, typename Exchange>
void exchanges(Sampler& sample, void (*begin_one)(OtherStack&), const Exchange& exchange) {
  std::array<OtherStack, n> stacks;
  for (OtherStack& s : stacks) begin_one(s);
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kFast / n; ++i)
      for (OtherStack& s : stacks) exchange(s);
  });
  sample.add(2 * (kFast / n * n), 0, 0, t);
}

constexpr auto kExchange = [](OtherStack& s) { missive_micro_switch(&s.here, s.there); };
constexpr auto kExchangeInLine = [](OtherStack& s) { exchange_stacks(&s.here, s.there); };

}  // namespace

void register_switch(Sampler& sample) { exchanges<1>(sample, begin, kExchange); }
void register_switch_in_turn(Sampler& sample) { exchanges<kManyStacks>(sample, begin, kExchange); }
void stack_switch(Sampler& sample) { exchanges<1>(sample, begin_in_line, kExchangeInLine); }
void stack_switch_in_turn(Sampler& sample) {
  exchanges<kManyStacks>(sample, begin_in_line, kExchangeInLine);
}

}  // namespace missive::measure
