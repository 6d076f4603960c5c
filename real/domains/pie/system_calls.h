#pragma once
// The few system calls a static program needs to start and to allocate, answered from the domain's
// own slot: brk(2), small anonymous mmap(2), the thread pointer, output. Everything else is ENOSYS.
// An emulation for well-meant programs, not a boundary.

#include <cstdint>

namespace missive::domains::pie {

struct Guest;

struct SystemCall {
  std::int64_t number;
  std::int64_t a, b, c, d, e, f;
};

// The value for rax: the result, or minus an errno. Runs in a signal handler, but one that
// interrupts nothing of the host's: the guest's own instruction asked for it.
std::int64_t emulate(Guest& guest, const SystemCall& call);

}  // namespace missive::domains::pie
