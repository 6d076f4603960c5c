#pragma once
// The way into a program of this process that has only memory of its own key, and back: that of
// pie/gate.h, and a write of PKRU on either side.
//
// A crossing saves the six registers the C ABI lets a function keep, changes the stack, writes FS
// base, flips the selector byte and writes PKRU. What the guest does wrong (SIGSEGV, SIGBUS,
// SIGILL, SIGFPE, SIGTRAP) ends it.
//
// Signals: the kernel enters a handler with access to key 0 alone, and before Linux 6.12 it writes
// the frame with the rights of what it interrupts, so the stack for signals has a key that guests
// may write, and the first thing a handler does is give itself the host's rights. Handlers that are
// there at a thread's first call are wrapped so; one for a signal that may come while a guest runs
// has to be installed before.
//
// No boundary against code that is written to break out: it may jump to an instruction of the host
// that writes PKRU or GS base, or forge a frame for rt_sigreturn(2) (Connor et al., "PKU Pitfalls",
// USENIX Security 2020).

#include "real/domains/pie/gate.h"

namespace missive::domains::pkey {

// Rights of a guest whose memory has `key`.
std::uint32_t guest_rights(int key);

// As their namesakes in pie/gate.h, for a guest with such rights.
void start_guest(pie::Guest& guest, std::uint64_t entry, std::uint64_t stack);
void (*guest_ready())(missive_pie_link*, missive_pie_service);
std::int64_t call_guest(pie::Guest& guest, std::int32_t entry, const std::uint8_t* request,
                        std::size_t size, std::uint8_t* reply, std::size_t capacity);
// Where a handler sends a guest that has ended.
void (*guest_return())();

// Whether the handler for system calls is that of domains with keys, which serves others as well.
bool catches_system_calls();

// As GateUse: the last one to go gives back the stack for signals of the thread it goes in.
class Use {
 public:
  Use();  // throws RunError when no key is left
  ~Use();
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
};

}  // namespace missive::domains::pkey
