// Primitives of crossings that stay in one address space: calls, jumps, registers and stacks.
//
// All but the exchanges of a stack are measured as throughput: back to back, none waiting for
// another's result. That is how a crossing meets them: what comes next of the caller's code does
// not depend on a call's having returned, and the processor runs ahead. An exchange is measured as
// latency, because the next one needs the stack pointer that this one loads.

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include <sys/auxv.h>
#include <unistd.h>

#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"

#if !defined(__x86_64__)
#error "the crossings of one address space are written for x86-64"
#endif

extern "C" void missive_micro_save();
extern "C" void missive_micro_switch(void** keep, void* next);
extern "C" void missive_micro_entry();
extern "C" void missive_micro_entry_in_line();
// What the System V ABI for AMD64 (3.2.1) asks a callee to preserve; jumps back by `jmp`, because
// the processor's return stack knows nothing of the other stack.
asm(R"(
.pushsection .text
.p2align 4
.globl missive_micro_save
.hidden missive_micro_save
missive_micro_save:
  pushq %r15
  pushq %r14
  pushq %r13
  pushq %r12
  pushq %rbp
  pushq %rbx
  popq %rbx
  popq %rbp
  popq %r12
  popq %r13
  popq %r14
  popq %r15
  ret
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

// A function that calls the next one of a table, as an interface calls a service: one inside the
// other. Each has a call of its own, with one target: so has every call on the way into a domain,
// and a processor predicts one that is shared by several targets in another, slower way.
struct Link;
using Linked = std::int64_t (*)(const Link*, const void*, std::size_t, void*, std::size_t);
struct Link {
  Linked next;
};

constexpr std::size_t kLinks = 8;

template <std::size_t number>
[[gnu::noinline]] std::int64_t link_of(const Link* link, const void* request, std::size_t size,
                                       void* reply, std::size_t capacity) {
  asm volatile("# link %c0" : : "i"(number));  // so that no two are the same function
  if constexpr (number + 1 == kLinks) {
    keep(link), keep(request), keep(size), keep(reply), keep(capacity);
    return 0;
  } else {
    const std::int64_t answer = link->next(link + 1, request, size, reply, capacity);
    keep(answer);  // so that it is a call and a return, no jump
    return answer;
  }
}

template <std::size_t... number>
constexpr std::array<Link, kLinks> chain_of(std::index_sequence<number...>) {
  return {Link{link_of<number>}...};
}

template <std::uint64_t unrolled, typename Work>
void back_to_back(Sampler& sample, const Work& work) {
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kFast / unrolled; ++i) work();
  });
  sample.add(kFast / unrolled * unrolled, 0, 0, t);
}

// To the next instruction, by way of a table of offsets as a compiler makes one for a switch.
[[gnu::always_inline]] inline void jump_by_table(std::uint64_t which) {
  asm volatile(R"(
    leaq 2f(%%rip), %%rdx
    movslq (%%rdx,%0,4), %%rax
    addq %%rdx, %%rax
    jmp *%%rax
    .pushsection .rodata
    .p2align 2
  2:
    .long 1f-2b
    .long 1f-2b
    .popsection
  1:
  )"
               :
               : "r"(which)
               : "rax", "rdx", "cc");
}

}  // namespace

void indirect_call(Sampler& sample) {
  std::array<Link, kLinks> links = chain_of(std::make_index_sequence<kLinks>());
  const Link* first = links.data();
  keep(first);
  std::int64_t sum = 0;
  back_to_back<kLinks>(sample, [&] { sum += first->next(first + 1, nullptr, 0, nullptr, 0); });
  keep(sum);
}

void table_jump(Sampler& sample) {
  std::uint64_t which = 1;
  keep(which);
  back_to_back<4>(sample, [&] {
    jump_by_table(which);
    jump_by_table(which);
    jump_by_table(which);
    jump_by_table(which);
  });
}

void saving_call(Sampler& sample) {
  back_to_back<4>(sample, [] {
    missive_micro_save();
    missive_micro_save();
    missive_micro_save();
    missive_micro_save();
  });
}

namespace {

void* way_back[5];  // as __builtin_setjmp wants it

[[gnu::noinline]] void inner() { asm volatile("" ::: "memory"); }

// Notes where to go on if what it calls is left by a jump. Nothing is in a register then, so that
// it saves all of its caller's.
[[gnu::noinline]] int returnable(void (*work)()) {
  if (__builtin_setjmp(way_back) != 0) return 1;
  work();
  return 0;
}

}  // namespace

void returnable_call(Sampler& sample) {
  void (*work)() = inner;
  keep(work);
  int left = 0;
  back_to_back<4>(sample, [&] {
    left += returnable(work);
    left += returnable(work);
    left += returnable(work);
    left += returnable(work);
  });
  keep(left);
}

namespace {

// ---- exchanges of the stack ----

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

std::string fs_base_write_unavailable() {
  constexpr unsigned long kFsGsBase = 2;  // HWCAP2_FSGSBASE, Documentation/arch/x86/x86_64/fsgs
  return (::getauxval(AT_HWCAP2) & kFsGsBase) != 0
             ? ""
             : "the processor or the kernel does not offer wrfsbase";
}

void fs_base_write(Sampler& sample) {
  std::uint64_t base = 0;
  asm volatile("rdfsbase %0" : "=r"(base));
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kFast; ++i) asm volatile("wrfsbase %0" : : "r"(base) : "memory");
  });
  sample.add(kFast, 0, 0, t);
}

void fs_base_read(Sampler& sample) {
  back_to_back<4>(sample, [] {
    for (int i = 0; i < 4; ++i) {
      std::uint64_t base = 0;
      asm volatile("rdfsbase %0" : "=r"(base));
    }
  });
}

void processor_question(Sampler& sample) {
  constexpr std::uint64_t kQuestions = 200;
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kQuestions; ++i) {
      std::uint32_t a = 0, b = 0, c = 0, d = 0;
      asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    }
  });
  sample.add(kQuestions, 0, 0, t);
}

}  // namespace missive::measure
