#pragma once
// What answers the system calls of a program in this process. Two ways to: from the domain's own
// slot, for a static program that was made to be a domain (OwnCalls); and by the kernel, for any
// program (host_calls.h). Emulations for well-meant programs, not a boundary.

#include <cstddef>
#include <cstdint>

#include <ucontext.h>

namespace missive::domains::pie {

struct Guest;

struct SystemCall {
  std::int64_t number;
  std::int64_t a, b, c, d, e, f;
};

class SystemCalls {
 public:
  virtual ~SystemCalls() = default;

  // The value for rax: the result, or minus an errno. Runs in a signal handler, but one that
  // interrupts nothing of the host's: the guest's own instruction asked for it.
  virtual std::int64_t answer(Guest& guest, const SystemCall& call) = 0;
  // Whether `code`, which is not in the guest's slot, is the guest's all the same.
  virtual bool owns(const std::byte* code) const = 0;
};

// The few calls a static program needs to start and to allocate: brk(2), small anonymous mmap(2),
// the thread pointer, output. Everything else is ENOSYS. Keeps nothing itself: one for all guests.
class OwnCalls final : public SystemCalls {
 public:
  std::int64_t answer(Guest& guest, const SystemCall& call) override;
  bool owns(const std::byte*) const override { return false; }
};

// By the kernel, as it is.
std::int64_t to_kernel(const SystemCall& call);
// For a signal's handler that interrupted to_kernel() in this thread, with the address and the
// result register it goes on with: a call that would begin now, or again (SA_RESTART), returns
// EINTR instead.
void give_up_kernel_call(greg_t& address, greg_t& result);

// Shared by both: brk(2) within the slot's heap, arch_prctl(2), and the end of the program.
std::int64_t change_break(Guest& guest, std::int64_t wanted);
std::int64_t thread_pointer(Guest& guest, const SystemCall& call);
std::int64_t end_guest(Guest& guest, std::int64_t status);

}  // namespace missive::domains::pie
