// The expectation against every order there is, and its edges.

#include "models/commonality.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <stdexcept>

#include <gtest/gtest.h>

namespace missive {
namespace {

TEST(Commonality, IsTheMeanOverAllOrders) {
  // Four applications over units 0..5, each 10 bytes.
  const std::vector<std::set<int>> apps{{0, 1, 2}, {0, 1}, {0, 3}, {0, 3, 4, 5}};
  HolderBytes holders{std::vector<double>(5)};
  for (int u = 0; u < 6; ++u) {
    const auto k =
        std::count_if(apps.begin(), apps.end(), [&](const auto& a) { return a.contains(u); });
    holders.bytes[static_cast<std::size_t>(k)] += 10;
  }
  std::vector<double> sums(4);
  std::vector<std::size_t> order(4);
  std::iota(order.begin(), order.end(), 0);
  do {
    std::set<int> seen;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::size_t before = seen.size();
      seen.insert(apps[order[i]].begin(), apps[order[i]].end());
      sums[i] += 10.0 * static_cast<double>(seen.size() - before);
    }
  } while (std::next_permutation(order.begin(), order.end()));
  double together = 0;
  for (std::size_t n = 1; n <= 4; ++n) {
    EXPECT_NEAR(expected_new_bytes(holders, n), sums[n - 1] / 24, 1e-12) << n;
    together += expected_new_bytes(holders, n);
    EXPECT_NEAR(expected_union_bytes(holders, n), together, 1e-12) << n;
  }
  EXPECT_NEAR(together, 60, 1e-12);
}

TEST(Commonality, WhatAllHoldCostsOnce) {
  const HolderBytes holders{{0, 0, 0, 7}};
  EXPECT_EQ(expected_new_bytes(holders, 1), 7);
  EXPECT_EQ(expected_new_bytes(holders, 2), 0);
}

TEST(Commonality, RefusesAPlaceThatIsNotThere) {
  const HolderBytes holders{{0, 1}};
  EXPECT_THROW(expected_new_bytes(holders, 0), std::domain_error);
  EXPECT_THROW(expected_new_bytes(holders, 2), std::domain_error);
}

TEST(Commonality, TheFitRecoversAPowerLaw) {
  std::vector<double> curve;
  for (int n = 1; n <= 20; ++n) curve.push_back(5e6 * std::pow(n, -0.4));
  const CommonalityFit fit = fit_commonality(curve);
  EXPECT_NEAR(fit.a, 5e6, 1);
  EXPECT_NEAR(fit.b, 0.4, 1e-9);
  EXPECT_NEAR(fit.at(40), 5e6 * std::pow(40, -0.4), 1);
  EXPECT_THROW(fit_commonality({1, 1, 0, 0}), std::domain_error);
}

}  // namespace
}  // namespace missive
