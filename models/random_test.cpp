#include "models/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <stdexcept>

namespace missive {
namespace {

// Random123 1.14.0, tests/kat_vectors, the three lines "philox4x32 10".
TEST(Random, PhiloxGivesThePublishedKnownAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}),
            (PhiloxCounter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox4x32({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (PhiloxCounter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxCounter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Reference: statistics.NormalDist().inv_cdf of Python 3.11.
TEST(Random, NormalQuantileMatchesReferenceValues) {
  const std::map<double, double> expected{{1e-300, -37.0470962993612},
                                          {1e-10, -6.361340902404056},
                                          {0.001, -3.090232306167813},
                                          {0.07, -1.4757910281791702},
                                          {0.074, -1.4466320671589785},
                                          {0.3, -0.5244005127080407},
                                          {0.5, 0.0},
                                          {0.975, 1.9599639845400536},
                                          {0.999, 3.090232306167813}};
  for (const auto& [p, z] : expected) EXPECT_NEAR(normal_quantile(p), z, 1e-14 * (1 + std::abs(z)));
  EXPECT_THROW(normal_quantile(0), std::domain_error);
  EXPECT_THROW(normal_quantile(1), std::domain_error);
  EXPECT_THROW(normal_quantile(NAN), std::domain_error);
}

TEST(Random, SameSeedAndStreamGiveTheSameNumbers) {
  Random a(7, 3), b(7, 3), other_stream(7, 4), other_seed(8, 3);
  bool streams_differ = false, seeds_differ = false;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t x = a.bits();
    EXPECT_EQ(x, b.bits());
    streams_differ |= x != other_stream.bits();
    seeds_differ |= x != other_seed.bits();
  }
  EXPECT_TRUE(streams_differ);
  EXPECT_TRUE(seeds_differ);
}

struct Moments {
  double mean = 0, variance = 0;
};

template <class Draw>
Moments moments(int n, Draw draw) {
  double sum = 0, squares = 0;
  for (int i = 0; i < n; ++i) {
    const double x = draw();
    sum += x;
    squares += x * x;
  }
  const double mean = sum / n;
  return {mean, squares / n - mean * mean};
}

// Tolerances are about four standard errors at n = 100,000; the seed is fixed.
TEST(Random, DistributionsHaveTheirMoments) {
  constexpr int kN = 100'000;
  Random random(1);
  const Moments uniform = moments(kN, [&] { return random.uniform(); });
  EXPECT_NEAR(uniform.mean, 0.5, 0.004);
  EXPECT_NEAR(uniform.variance, 1.0 / 12, 0.001);
  const Moments exponential = moments(kN, [&] { return random.exponential(3); });
  EXPECT_NEAR(exponential.mean, 3, 0.04);
  EXPECT_NEAR(exponential.variance, 9, 0.35);
  const Moments normal = moments(kN, [&] { return random.normal(); });
  EXPECT_NEAR(normal.mean, 0, 0.013);
  EXPECT_NEAR(normal.variance, 1, 0.018);
  const Moments logs = moments(kN, [&] { return std::log(random.lognormal(2, 0.5)); });
  EXPECT_NEAR(logs.mean, 2, 0.007);
  EXPECT_NEAR(logs.variance, 0.25, 0.005);
}

TEST(Random, UniformStaysInsideTheOpenInterval) {
  Random random(2);
  for (int i = 0; i < 100'000; ++i) {
    const double u = random.uniform();
    ASSERT_GT(u, 0);
    ASSERT_LT(u, 1);
  }
}

TEST(Random, BelowIsFair) {
  Random random(3);
  std::array<int, 7> counts{};
  constexpr int kN = 70'000;
  for (int i = 0; i < kN; ++i) ++counts[random.below(7)];
  double chi_square = 0;
  for (int n : counts) chi_square += (n - 1e4) * (n - 1e4) / 1e4;
  EXPECT_LT(chi_square, 22.5);  // 0.999 quantile with 6 degrees of freedom
  EXPECT_EQ(random.below(1), 0u);
}

TEST(Random, ShuffleReachesEveryOrderEquallyOften) {
  Random random(4);
  std::map<std::vector<int>, int> seen;
  for (int i = 0; i < 24'000; ++i) {
    std::vector<int> order{1, 2, 3, 4};
    random.shuffle(order);
    ++seen[order];
  }
  ASSERT_EQ(seen.size(), 24u);
  double chi_square = 0;
  for (const auto& [order, n] : seen) chi_square += (n - 1e3) * (n - 1e3) / 1e3;
  EXPECT_LT(chi_square, 49.7);  // 0.999 quantile with 23 degrees of freedom
}

TEST(Random, RefusesImpossibleDistributions) {
  Random random(5);
  EXPECT_THROW(random.below(0), std::domain_error);
  EXPECT_THROW(random.exponential(0), std::domain_error);
  EXPECT_THROW(random.lognormal(0, -1), std::domain_error);
}

}  // namespace
}  // namespace missive
