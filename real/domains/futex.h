#pragma once
// Waiting on a word of memory, futex(2). Between threads (`Private`) or between processes that map
// the same page (`Shared`).

#include <atomic>
#include <chrono>
#include <cstdint>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace missive::domains {

enum class FutexScope : int { Private = FUTEX_PRIVATE_FLAG, Shared = 0 };

static_assert(std::atomic<std::uint32_t>::is_always_lock_free &&
              sizeof(std::atomic<std::uint32_t>) == 4);

// Returns when the word may no longer hold `seen`, after a signal, or after `slice` (0: no limit).
// The caller looks again.
inline void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t seen, FutexScope scope,
                       std::chrono::milliseconds slice = std::chrono::milliseconds(0)) {
  const timespec limit{slice.count() / 1000, (slice.count() % 1000) * 1'000'000};
  ::syscall(SYS_futex, &word, FUTEX_WAIT | static_cast<int>(scope), seen,
            slice.count() > 0 ? &limit : nullptr, nullptr, 0);
}

inline void futex_wake(std::atomic<std::uint32_t>& word, FutexScope scope) {
  ::syscall(SYS_futex, &word, FUTEX_WAKE | static_cast<int>(scope), 1, nullptr, nullptr, 0);
}

}  // namespace missive::domains
