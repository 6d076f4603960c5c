// Primitives of crossings that stay in one address space: calls, jumps, registers.
//
// They are measured as throughput: back to back, none waiting for another's result. That is how a
// crossing meets them: what comes next of the caller's code does not depend on a call's having
// returned, and the processor runs ahead. Exchanges of the stack (micro_stack.cpp) are not.

#include <array>
#include <string>
#include <utility>

#include <sys/auxv.h>

#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"

#if !defined(__x86_64__)
#error "the crossings of one address space are written for x86-64"
#endif

extern "C" void missive_micro_save();
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
