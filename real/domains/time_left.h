#pragma once
// How long a call may still take, for whoever waits in slices and asks in between. What blocks in
// the kernel and cannot be given a time-out needs a signal instead (kvm/deadline.h).

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace missive::domains {

// The clock is read only when somebody asks.
class TimeLeft {
 public:
  explicit TimeLeft(std::chrono::milliseconds after) : after_(after) {}

  // Milliseconds left, counted from the first time of asking, never negative; -1 when there is no
  // deadline, which is what poll(2) wants.
  int left_ms() {
    if (after_.count() <= 0) return -1;
    const auto now = std::chrono::steady_clock::now();
    if (end_.time_since_epoch().count() == 0) end_ = now + after_;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - now).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
  }
  bool passed() { return after_.count() > 0 && left_ms() == 0; }

 private:
  std::chrono::milliseconds after_;
  std::chrono::steady_clock::time_point end_{};
};

}  // namespace missive::domains
