// Primitives of segmentation: far jumps between 64-bit and 32-bit code, loads of segment registers,
// changes of the local descriptor table. All in flat segments of the kernel's own table, or without
// a use of what is written.

#include <cerrno>
#include <cstring>
#include <string>

#include <asm/ldt.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"

namespace missive::measure {

namespace {

constexpr std::uint64_t kJumps = 20'000;
constexpr std::uint64_t kLoads = 50'000;
constexpr std::uint64_t kWrites = 100;

// Lies in low memory, behind the 32-bit code. The code below knows the offsets.
struct FarJumps {
  std::uint64_t stack = 0;  // 0: the caller's
  void (*back)() = nullptr;
  std::uint64_t rounds = 0;      // 16
  std::uint32_t target = 0;      // 24: far pointer to the 32-bit code
  std::uint16_t segment = 0x23;  // 28: the kernel's __USER32_CS
  std::uint16_t padding = 0;
  std::uint32_t low_stack = 0;  // 32
};

}  // namespace

extern "C" {
void missive_micro_far_jumps(FarJumps*);
void missive_micro_far_back();
}

// clang-format off
asm(R"(
.pushsection .text
.p2align 4
.globl missive_micro_far_jumps
.hidden missive_micro_far_jumps
missive_micro_far_jumps:
  push %rbx
  mov %rsp, (%rdi)
  mov %rdi, %rbx
1:
  mov 32(%rbx), %esp
  ljmpl *24(%rbx)
.globl missive_micro_far_back
.hidden missive_micro_far_back
missive_micro_far_back:
  decq 16(%rbx)
  jnz 1b
  mov (%rbx), %rsp
  pop %rbx
  ret
.popsection
)");
// clang-format on

void far_jump(Sampler& sample) {
  constexpr std::size_t kPage = 4096;
  void* at = ::mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (at == MAP_FAILED) throw_errno("micro-measurement: memory below 2 GiB");
  auto* const low = static_cast<unsigned char*>(at);
  const auto address = static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(at));
  // 32-bit: ljmp $0x33, $back; behind it, 64-bit: lea data(%rip), %rbx; jmp *8(%rbx).
  unsigned char code[] = {0xea, 0, 0, 0, 0, 0x33, 0, 0x48, 0x8d, 0x1d, 0, 0, 0, 0, 0xff, 0x63, 8};
  constexpr std::uint32_t kBack = 7, kBehindLea = 14;
  const std::uint32_t back = address + kBack, data = kPage - kBehindLea;
  std::memcpy(code + 1, &back, sizeof back);
  std::memcpy(code + 10, &data, sizeof data);
  std::memcpy(low, code, sizeof code);
  ::mprotect(low, kPage, PROT_READ | PROT_EXEC);
  auto* const jumps = new (low + kPage) FarJumps;
  jumps->back = missive_micro_far_back;
  jumps->rounds = kJumps;
  jumps->target = address;
  jumps->low_stack = address + 3 * kPage;
  const double t = seconds_of([&] { missive_micro_far_jumps(jumps); });
  ::munmap(at, 3 * kPage);
  sample.add(2 * kJumps, 0, 0, t);
}

void segment_load(Sampler& sample) {
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kLoads; ++i)
      asm volatile("mov %0, %%es" : : "r"(0x2b));  // __USER_DS
  });
  sample.add(kLoads, 0, 0, t);
}

namespace {

// One entry described and emptied again.
bool write_and_clear() {
  constexpr int kWrite = 0x11;
  user_desc entry{};
  entry.limit = 1;
  entry.limit_in_pages = entry.seg_32bit = entry.useable = 1;
  if (::syscall(SYS_modify_ldt, kWrite, &entry, sizeof entry) != 0) return false;
  user_desc none{};
  none.read_exec_only = none.seg_not_present = 1;
  return ::syscall(SYS_modify_ldt, kWrite, &none, sizeof none) == 0;
}

}  // namespace

std::string segment_table_unavailable() {
  return ::syscall(SYS_modify_ldt, 0, nullptr, 0) >= 0
             ? ""
             : std::string("modify_ldt(2): ") + std::strerror(errno);
}

void segment_table_write(Sampler& sample) {
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kWrites; ++i)
      if (!write_and_clear()) throw_errno("micro-measurement: modify_ldt");
  });
  sample.add(2 * kWrites, 0, 0, t);
}

}  // namespace missive::measure
