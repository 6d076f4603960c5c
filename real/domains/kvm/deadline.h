#pragma once
// A deadline for a call that blocks in the kernel and cannot be given a time-out, such as KVM_RUN:
// a timer's signal interrupts it (timer_create(2), SIGEV_THREAD_ID), after raising a flag that the
// kernel looks at on the way in, so that none is lost just before.
//
// The timer is armed once and checks, when it fires, whether the call then under way is really
// late; if not it is armed for the rest. So calls that are in time make no system call for it.
// The signal is SIGRTMAX-1; a thread may see one after its last call, and its system calls EINTR,
// unless it stops the ticking first. A waiter that can be woken in between asks ../time_left.h.

#include <chrono>
#include <cstdint>

namespace missive::domains {

// Around one call of this thread; not nested.
class Deadline {
 public:
  // `flag` is set to 1 when `limit` has passed; it must outlive this. A limit of 0 is none. Throws
  // RunError when the thread can have no timer.
  Deadline(std::chrono::nanoseconds limit, volatile std::uint8_t* flag);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

  bool passed() const;

  // For a thread that makes no such calls for a while: takes the timer down until the next one.
  static void stop_ticking() noexcept;
};

}  // namespace missive::domains
