#include "models/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "models/random.h"

namespace missive {
namespace {

TEST(Statistics, MedianOfOddAndEvenCounts) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({7}), 7);
}

// numpy.quantile([1, 2, 4, 8, 16], p): the positions are p * 4.
TEST(Statistics, QuantileIsOfType7) {
  const std::vector<double> values{16, 1, 8, 2, 4};
  EXPECT_DOUBLE_EQ(quantile(values, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(values, 0.1), 1.4);
  EXPECT_DOUBLE_EQ(quantile(values, 0.25), 2);
  EXPECT_DOUBLE_EQ(quantile(values, 0.9), 12.8);
  EXPECT_DOUBLE_EQ(quantile(values, 1), 16);
}

TEST(Statistics, MedianAbsoluteDeviationIgnoresAnOutlier) {
  EXPECT_EQ(median_absolute_deviation({1, 1, 2, 2, 4, 6, 9}), 1);
  EXPECT_EQ(median_absolute_deviation({1, 1, 2, 2, 4, 6, 9000}), 1);
}

TEST(Statistics, RefusesNothingAndTheInfinite) {
  EXPECT_THROW(median({}), std::invalid_argument);
  EXPECT_THROW(median({1, NAN}), std::invalid_argument);
  EXPECT_THROW(quantile({1}, 1.5), std::invalid_argument);
  EXPECT_THROW(median_by_group({{}, {}}, 1), std::invalid_argument);
  EXPECT_THROW(noise_floor({{1}}, 1), std::invalid_argument);
  EXPECT_THROW(noise_floor({{0, 0}}, 1), std::domain_error);
  EXPECT_THROW(ratio_by_group({{1}}, {{0}}, 1), std::domain_error);
}

// Binomial(n, 1/2) tables: n = 6 gives the range, n = 10 the 2nd and 9th, n = 20 the 6th and 15th.
TEST(Statistics, OrderStatisticIntervalFollowsTheBinomialTable) {
  const auto interval = [](int n) {
    std::vector<double> values;
    for (int i = 1; i <= n; ++i) values.push_back(i);
    return median_by_order(values);
  };
  EXPECT_EQ(interval(6).low, 1);
  EXPECT_EQ(interval(6).high, 6);
  EXPECT_EQ(interval(10).low, 2);
  EXPECT_EQ(interval(10).high, 9);
  EXPECT_EQ(interval(20).low, 6);
  EXPECT_EQ(interval(20).high, 15);
  EXPECT_EQ(interval(3).low, 1);
  EXPECT_EQ(interval(3).high, 3);
  EXPECT_EQ(interval(20).n, 20u);
  EXPECT_LT(interval(20000).high - interval(20000).low, 300);
}

// Groups that differ among themselves by 10 %, values inside a group by 1 %.
Groups noisy(std::uint64_t seed, std::size_t groups, std::size_t repetitions, double scale = 1) {
  Random random(seed);
  Groups result(groups);
  for (auto& group : result) {
    const double centre = scale * std::exp(0.1 * random.normal());
    for (std::size_t i = 0; i < repetitions; ++i)
      group.push_back(centre * std::exp(0.01 * random.normal()));
  }
  return result;
}

TEST(Statistics, IntervalOverGroupsDoesNotShrinkWithRepetitions) {
  const Estimate few = median_by_group(noisy(1, 12, 5), 1);
  const Estimate many = median_by_group(noisy(1, 12, 200), 1);
  EXPECT_GT(many.high - many.low, 0.3 * (few.high - few.low));
  EXPECT_LE(many.low, many.value);
  EXPECT_GE(many.high, many.value);
  EXPECT_EQ(many.n, 2400u);
}

TEST(Statistics, IntervalOverGroupsCoversAbout95Percent) {
  int covered = 0;
  constexpr int kTrials = 300;
  for (int i = 0; i < kTrials; ++i) {
    const Estimate e = median_by_group(noisy(100 + static_cast<std::uint64_t>(i), 15, 3), 1, 300);
    covered += e.low <= 1 && 1 <= e.high;
  }
  EXPECT_GE(covered, kTrials * 88 / 100);  // percentile bootstrap of a median over 15 groups
  EXPECT_LE(covered, kTrials * 99 / 100);
}

TEST(Statistics, SameSeedSameInterval) {
  const Groups groups = noisy(3, 8, 10);
  const Estimate a = median_by_group(groups, 5), b = median_by_group(groups, 5);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
}

TEST(Statistics, OneGroupFallsBackToOrderStatistics) {
  const Estimate e = median_by_group({{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, {}}, 1);
  EXPECT_EQ(e.low, 2);
  EXPECT_EQ(e.high, 9);
}

TEST(Statistics, RatioOfMediansHasAnIntervalAroundTheTruth) {
  const Estimate e = ratio_by_group(noisy(5, 20, 10, 3), noisy(6, 20, 10, 2), 1);
  EXPECT_LT(e.low, 1.5);
  EXPECT_GT(e.high, 1.5);
  EXPECT_NEAR(e.value, 1.5, 0.15);
  EXPECT_DOUBLE_EQ(ratio_by_group({{6, 6}}, {{3, 3}}, 1).value, 2);
}

// Values of their own, spread like times are: most near the lower end.
Groups alone(std::uint64_t seed, std::size_t n, double scale) {
  Random random(seed);
  Groups result(n);
  for (auto& group : result) group.push_back(scale * std::exp(0.3 * random.normal()));
  return result;
}

// Each value twice in its group.
Groups doubled(const Groups& groups) {
  Groups result;
  for (const auto& group : groups) result.push_back({group[0], group[0]});
  return result;
}

// Doubling a value in its group changes no median of any draw, but makes the groups ones that are
// bootstrapped however many they are: both methods on the same data.
TEST(Statistics, OrderStatisticsOfManyValuesAgreeWithTheBootstrap) {
  const Groups a = alone(1, 2 * kManyValues, 3), b = alone(2, kManyValues + 1, 2);
  const Estimate order = median_by_group(a, 1), drawn = median_by_group(doubled(a), 1);
  const double width = drawn.high - drawn.low;
  EXPECT_EQ(order.value, drawn.value);
  EXPECT_NE(order.low, drawn.low);  // two methods indeed
  EXPECT_NEAR(order.low, drawn.low, 0.1 * width);
  EXPECT_NEAR(order.high, drawn.high, 0.1 * width);

  const Estimate mover = ratio_by_group(a, b, 1);
  const Estimate again = ratio_by_group(doubled(a), doubled(b), 1);
  EXPECT_EQ(mover.value, again.value);
  EXPECT_NE(mover.low, again.low);
  EXPECT_NEAR(mover.low, again.low, 0.1 * (again.high - again.low));
  EXPECT_NEAR(mover.high, again.high, 0.1 * (again.high - again.low));
}

TEST(Statistics, RatioIntervalOfManyValuesCoversAbout95Percent) {
  int covered = 0;
  constexpr int kTrials = 200;
  for (std::uint64_t i = 0; i < kTrials; ++i) {
    const Estimate e = ratio_by_group(alone(1000 + i, kManyValues + 1, 3),
                                      alone(5000 + i, kManyValues + 500, 2), 1);
    covered += e.low <= 1.5 && 1.5 <= e.high;
  }
  EXPECT_GE(covered, kTrials * 90 / 100);
  EXPECT_LE(covered, kTrials * 99 / 100);
}

TEST(Statistics, AnIntervalThatReachesZeroBoundsNoRatio) {
  Groups half(kManyValues + 2, {1});
  for (std::size_t i = 0; i < half.size() / 2 - 1; ++i) half[i] = {0};
  EXPECT_THROW(ratio_by_group(alone(1, kManyValues + 1, 1), half, 1), std::domain_error);
  EXPECT_EQ(ratio_by_group(half, alone(1, 100, 1), 1).low, 0);  // above the line it may
}

// The binomial tail is summed from where it begins to matter: rank 499,021 of a million (R:
// qbinom(0.025, 1e6, 0.5)).
TEST(Statistics, OrderStatisticsOfAMillionValues) {
  std::vector<double> values;
  for (int i = 1; i <= 1000000; ++i) values.push_back(i);
  const Estimate e = median_by_order(std::move(values));
  EXPECT_EQ(e.value, 500000.5);
  EXPECT_NEAR(e.low, 499020, 1);
  EXPECT_EQ(e.low + e.high, 1000001);
}

TEST(Statistics, NoiseFloorOfASteadyMachineIsZero) {
  EXPECT_EQ(noise_floor({{2, 2, 2}, {2, 2}, {2}, {2}}, 1), 0);
}

// Two values: every split compares 9 with 11, a difference of 2 around a median of 10.
TEST(Statistics, NoiseFloorOfTwoValuesIsTheirDistance) {
  EXPECT_NEAR(noise_floor({{9, 11}}, 1), 0.2, 1e-12);
}

TEST(Statistics, NoiseFloorSplitsProcessesNotRepetitions) {
  // Inside a process no noise at all, between processes 10 %.
  const Groups groups{{10, 10, 10}, {11, 11, 11}, {10, 10, 10}, {11, 11, 11}};
  EXPECT_GT(noise_floor(groups, 1), 0.01);
  EXPECT_LE(noise_floor(groups, 1), 0.1);
  EXPECT_EQ(noise_floor(groups, 1), noise_floor(groups, 1));
}

TEST(Statistics, LineThroughPointsOnALineIsExact) {
  const Line line = least_squares({1, 2, 3, 4}, {5, 7, 9, 11});
  EXPECT_DOUBLE_EQ(line.intercept, 3);
  EXPECT_DOUBLE_EQ(line.slope, 2);
  EXPECT_DOUBLE_EQ(line.at(10), 23);
  EXPECT_EQ(least_squares({2, 2}, {1, 3}).slope, 0);
  EXPECT_EQ(least_squares({2, 2}, {1, 3}).intercept, 2);
}

// Anscombe's first data set: 3.0001 + 0.5001 x (The American Statistician 27, 1973).
TEST(Statistics, LineMatchesAPublishedExample) {
  const Line line =
      least_squares({10, 8, 13, 9, 11, 14, 6, 4, 12, 7, 5},
                    {8.04, 6.95, 7.58, 8.81, 8.33, 9.96, 7.24, 4.26, 10.84, 4.82, 5.68});
  EXPECT_NEAR(line.intercept, 3.0001, 1e-4);
  EXPECT_NEAR(line.slope, 0.5001, 1e-4);
}

TEST(Statistics, LeaveOneOutDoesNotSeeThePointItPredicts) {
  const std::vector<double> predictions = leave_one_out({1, 2, 3}, {1, 2, 30});
  EXPECT_DOUBLE_EQ(predictions[2], 3);  // from (1,1) and (2,2)
  EXPECT_DOUBLE_EQ(predictions[0], -26);
  EXPECT_THROW(leave_one_out({1}, {1}), std::invalid_argument);
  EXPECT_THROW(leave_one_out({1, 2, 3}, {1, 2}), std::invalid_argument);
}

}  // namespace
}  // namespace missive
