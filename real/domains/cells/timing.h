#pragma once
// Timing by batches: the clock is read twice for so many operations that reading it is less than a
// hundredth of the batch, and what it costs is taken off.

#include <algorithm>
#include <cstdint>
#include <limits>

#include "real/measure/clock.h"
#include "real/process.h"

namespace missive::domains {

// Seconds between two readings of the clock with nothing in between: the smallest of many, so that
// too little rather than too much is taken off.
inline double clock_seconds() {
  static const double cost = [] {
    double least = std::numeric_limits<double>::max();
    for (int i = 0; i < 1000; ++i) least = std::min(least, measure::seconds_of([] {}));
    return least;
  }();
  return cost;
}

// Seconds of one operation in a batch of `n`.
template <typename Operation>
double batch_seconds(std::uint64_t n, Operation&& operation) {
  check_interrupt();
  const double all = measure::seconds_of([&] {
    for (std::uint64_t i = 0; i < n; ++i) operation();
  });
  return std::max(all - clock_seconds(), 0.0) / static_cast<double>(n);
}

// The same, after one operation that is not counted: caches, and a service that fell asleep while
// something else was measured, are awake again.
template <typename Operation>
double warm_batch_seconds(std::uint64_t n, Operation&& operation) {
  operation();
  return batch_seconds(n, operation);
}

// How many operations a batch of at least `seconds`, and at least 100 clock readings, takes.
// Running them is the warm-up.
template <typename Operation>
std::uint64_t batch_size(double seconds, Operation&& operation) {
  const double least = std::max(seconds, 100 * clock_seconds());
  for (std::uint64_t n = 1;; n *= 2) {
    const double all = warm_batch_seconds(n, operation) * static_cast<double>(n);
    if (all >= least || n >= (1ULL << 40)) return n;
  }
}

}  // namespace missive::domains
