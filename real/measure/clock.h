#pragma once
// The clock of all measurements: CLOCK_MONOTONIC through the vDSO, about 25 ns a reading
// (clock_gettime(2)).

#include <cstdint>

#include <time.h>

namespace missive::measure {

inline std::int64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

// Seconds that `work` took.
template <typename Work>
double seconds_of(Work&& work) {
  const std::int64_t start = now_ns();
  work();
  return static_cast<double>(now_ns() - start) * 1e-9;
}

// Keeps the compiler from dropping the computation of `value`.
template <typename T>
void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

}  // namespace missive::measure
