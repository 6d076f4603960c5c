#pragma once
// The way between this program and another one in the same process: another stack, another
// thread pointer (FS base), and the guest's system calls caught by Syscall User Dispatch
// (Documentation/admin-guide/syscall-user-dispatch.rst of the kernel).
//
// A crossing saves the six registers the C ABI lets a function keep, changes the stack, writes FS
// base (wrfsbase, allowed to user space since Linux 5.9: arch_prctl(2)) and flips the selector
// byte; vector registers, MXCSR and the x87 control word are not touched. There is no
// protection: the guest can write all of it, the selector too.
//
// A signal handler of the host that runs while the guest does finds the guest's FS base: it must
// not touch thread-local variables (those of trap.h put the host's back first). Its system calls,
// made outside the guest's image, work.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "real/domains/pie/guest/link.h"
#include "real/domains/pie/slots.h"
#include "real/domains/pie/system_calls.h"

namespace missive::domains::pie {

// A program loaded and its own state, as far as the kernel would keep it for a process. Not
// thread-safe: one call at a time, from any thread.
struct Guest {
  // Read by the switch (gate.cpp): order and offsets matter.
  std::uint64_t fs = 0;
  missive_pie_service service = nullptr;
  std::uint64_t stack = 0;  // where a call starts; below it lies main()'s frame

  std::uint32_t rights = 0;  // PKRU while it runs (pkey/keys.h); 0: no keys
  bool ended = false;        // it called exit(2) or exit_group(2), or sent itself a signal
  int status = 0;
  int signal = 0;     // that ended it; 0: none did
  bool late = false;  // it was ended, because it did not come back within the deadline
  Slot slot;
  std::size_t code_bytes = 0;    // from slot.base, of a guest behind a key
  SystemCalls* calls = nullptr;  // never null when it runs
  std::size_t heap_break = 0;    // from the start of slot.heap, for brk(2)
  std::size_t heap_top = 0;      // small mmap(2) areas lie from here to the end of slot.heap
  std::vector<std::span<std::byte>> maps;  // large ones, unmapped at the end
  std::string log;                         // what it had to say, its last 4 KiB

  void unmap_all() noexcept;
};

// Empty when this kernel and CPU can (FS base by instruction, Syscall User Dispatch).
std::string gate_unavailable();

// Counts domains alive; the last one to go turns Syscall User Dispatch off again in the thread
// that destroys it (it costs every system call some 50 ns).
class GateUse {
 public:
  GateUse();
  ~GateUse();
  GateUse(const GateUse&) = delete;
  GateUse& operator=(const GateUse&) = delete;
};

// To be put into TrapScope::leave: ends the guest that runs, and its call returns, when it is late
// or its own code has met a fault.
bool leave_guest(int fault, void* context);

// Runs the program from its entry, `stack` pointing at argc (System V ABI, process
// initialisation), until it is ready or has ended.
void start_guest(Guest& guest, std::uint64_t entry, std::uint64_t stack);
// To be put into missive_pie_link::ready.
void (*guest_ready())(missive_pie_link*, missive_pie_service);

// The service's answer; meaningless when guest.ended is set afterwards.
std::int64_t call_guest(Guest& guest, std::int32_t entry, const std::uint8_t* request,
                        std::size_t size, std::uint8_t* reply, std::size_t capacity);

}  // namespace missive::domains::pie
