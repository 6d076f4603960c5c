#include "real/measure/time_stamp.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include <cpuid.h>

#include "real/measure/clock.h"

namespace missive::measure {

std::string time_stamp_unusable() {
  constexpr unsigned kLeaf = 0x80000007, kInvariant = 1U << 8U;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(kLeaf, &a, &b, &c, &d) != 0 && (d & kInvariant) != 0) return {};
  return "the processor's time stamp counter is not invariant";
}

double time_stamp_tick() {
  static const double tick = [] {
    constexpr std::int64_t kFor = 10'000'000;  // ns
    const std::int64_t start = now_ns();
    const std::uint64_t first = time_stamp();
    std::int64_t now = start;
    while (now < start + kFor) now = now_ns();
    return static_cast<double>(now - start) * 1e-9 / static_cast<double>(time_stamp() - first);
  }();
  return tick;
}

namespace {

// Differences of pairs of readings, ascending.
const std::vector<std::uint64_t>& pairs() {
  static const std::vector<std::uint64_t> all = [] {
    std::vector<std::uint64_t> differences(20'000);
    for (std::uint64_t& d : differences) {
      const std::uint64_t first = time_stamp();
      d = time_stamp() - first;
    }
    std::sort(differences.begin(), differences.end());
    return differences;
  }();
  return all;
}

}  // namespace

double time_stamp_cost() {
  // Interrupted ones are among the last.
  const std::size_t n = pairs().size() * 99 / 100;
  double sum = 0;
  for (std::size_t i = 0; i < n; ++i) sum += static_cast<double>(pairs()[i]);
  return sum / static_cast<double>(n);
}

std::uint64_t time_stamp_step() {
  std::uint64_t step = 0;
  for (const std::uint64_t d : pairs()) step = std::gcd(step, d);
  return std::max<std::uint64_t>(step, 1);
}

}  // namespace missive::measure
