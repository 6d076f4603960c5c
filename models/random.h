#pragma once
// Counter-based random numbers: number `index` of stream `stream` under `seed` is a pure function
// of the three. Streams never overlap, nothing depends on the order of evaluation, and a point of a
// sweep can be computed alone. The distributions of <random> are not used: the standard leaves
// their algorithms open, so that their numbers differ from library to library.
//
// Generator: Philox4x32-10. J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011; checked against the known answers published with
// Random123.

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace missive {

using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;
PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key);

// Inverse of the standard normal distribution function for 0 < p < 1, relative error about 1e-16.
// M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied
// Statistics 37 (1988). Throws std::domain_error outside.
double normal_quantile(double p);

// One stream. Each call takes the next index; copies go on independently from the same place.
class Random {
 public:
  explicit Random(std::uint64_t seed, std::uint64_t stream = 0) : seed_(seed), stream_(stream) {}

  std::uint64_t bits();
  double uniform();  // in (0, 1), never 0 and never 1
  // In [0, n), each value equally likely. Throws std::domain_error for n = 0.
  std::uint64_t below(std::uint64_t n);
  // Throws std::domain_error unless mean > 0.
  double exponential(double mean);
  double normal();
  // exp(mu + sigma N): median exp(mu). Throws std::domain_error for sigma < 0.
  double lognormal(double mu, double sigma);

  // Fisher-Yates; every order equally likely.
  template <class T>
  void shuffle(std::vector<T>& values) {
    for (std::size_t i = values.size(); i > 1; --i)
      std::swap(values[i - 1], values[static_cast<std::size_t>(below(i))]);
  }

 private:
  std::uint64_t seed_, stream_, index_ = 0;
};

}  // namespace missive
