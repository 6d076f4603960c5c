#include "models/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "models/error.h"
#include "models/random.h"
#include "models/statistics.h"

namespace missive {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<std::string> kColumns{"call", "byte", "item"};
const std::vector<double> kTruth{2e-6, 4e-10, 3e-7};

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

// Sizes from 4 KiB to 16 MiB by items of two sizes: separates calls, bytes and items.
std::vector<std::vector<double>> sizes() {
  std::vector<std::vector<double>> points;
  for (double bytes = 4096; bytes <= 16777216; bytes *= 4)
    for (double item : {512.0, 4096.0}) points.push_back({1, bytes, bytes / item});
  return points;
}

struct Noise {
  double within = 0.05, between = 0;  // sigma of the logarithm, inside a group and of a group
};

std::vector<Sample> synthetic(const std::vector<std::vector<double>>& points,
                              const std::vector<double>& truth, std::uint64_t seed, Noise noise,
                              int groups = 8, int repetitions = 5) {
  Random random(seed);
  std::vector<Sample> samples;
  for (int group = 0; group < groups; ++group) {
    const double centre = std::exp(noise.between * random.normal());
    for (const auto& x : points)
      for (int i = 0; i < repetitions; ++i)
        samples.push_back(
            {x, dot(x, truth) * centre * std::exp(noise.within * random.normal()), group});
  }
  return samples;
}

TEST(Fit, WithoutNoiseIsExact) {
  const Fit f = fit(synthetic(sizes(), kTruth, 1, {0, 0}), kColumns, 1);
  for (std::size_t j = 0; j < 3; ++j) {
    EXPECT_NEAR(f.coefficients[j] / kTruth[j], 1, 1e-9);
    EXPECT_TRUE(f.identified[j]);
  }
  EXPECT_LT(f.median_abs_relative_residual, 1e-12);
  EXPECT_EQ(f.groups, 8u);
  EXPECT_EQ(f.design_points, sizes().size());
}

TEST(Fit, RecoversKnownCoefficientsUnderFivePercentNoise) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Fit f = fit(synthetic(sizes(), kTruth, seed, {0.05, 0}), kColumns, seed);
    EXPECT_NEAR(f.coefficients[0] / kTruth[0], 1, 0.10);  // a small share of most points
    EXPECT_NEAR(f.coefficients[1] / kTruth[1], 1, 0.05);
    EXPECT_NEAR(f.coefficients[2] / kTruth[2], 1, 0.05);
    EXPECT_NEAR(f.median_abs_relative_residual, 0.05 * 0.674, 0.01);
    EXPECT_NEAR(f.residual_quantiles[0], -1.645 * 0.05, 0.02);
    EXPECT_NEAR(f.residual_quantiles[2], 0, 0.01);
    EXPECT_NEAR(f.residual_quantiles[4], 1.645 * 0.05, 0.02);
  }
}

TEST(Fit, RecoversCostsOnBothSidesOfABreakpoint) {
  constexpr double kCache = 1048576;
  const std::vector<double> truth{1e-6, 1e-10, 3e-10};
  std::vector<std::vector<double>> points;
  for (double bytes = 4096; bytes <= 67108864; bytes *= 2) {
    const auto parts = hinge(bytes, {kCache});
    points.push_back({1, parts[0], parts[1]});
  }
  const Fit f = fit(synthetic(points, truth, 3, {0.05, 0}), {"call", "below", "above"}, 1);
  for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(f.coefficients[j] / truth[j], 1, 0.05) << j;
}

TEST(Fit, ATrueZeroComesOutAsNextToNothing) {
  const std::vector<double> truth{2e-6, 4e-10, 0};
  const Fit f = fit(synthetic(sizes(), truth, 4, {0.05, 0}), kColumns, 1);
  EXPECT_GE(f.coefficients[2], 0);
  EXPECT_LT(f.coefficients[2] / 4096, 0.02 * truth[1]);  // per byte, with items of 4096 bytes
  EXPECT_EQ(f.low[2], 0);
  EXPECT_NEAR(f.coefficients[1] / truth[1], 1, 0.05);
}

TEST(Fit, StraySamplesDoNotMoveIt) {
  std::vector<Sample> samples = synthetic(sizes(), kTruth, 5, {0.02, 0});
  Random random(6);
  for (Sample& sample : samples)
    if (random.uniform() < 0.1) sample.seconds *= 20;
  const Fit f = fit(samples, kColumns, 1);
  for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(f.coefficients[j] / kTruth[j], 1, 0.06) << j;
}

TEST(Fit, ADisturbedProcessDoesNotMoveIt) {
  std::vector<Sample> samples = synthetic(sizes(), kTruth, 7, {0.02, 0});
  for (Sample& sample : samples)
    if (sample.group == 3) sample.seconds *= 5;
  const Fit f = fit(samples, kColumns, 1);
  for (std::size_t j = 0; j < 3; ++j) EXPECT_NEAR(f.coefficients[j] / kTruth[j], 1, 0.06) << j;
}

TEST(Fit, PermutedTimesDestroyItsSkill) {
  const std::vector<Sample> samples = synthetic(sizes(), kTruth, 8, {0.05, 0});
  std::vector<double> times;
  for (const Sample& sample : samples) times.push_back(sample.seconds);
  Random random(9);
  random.shuffle(times);
  std::vector<Sample> permuted = samples;
  for (std::size_t i = 0; i < times.size(); ++i) permuted[i].seconds = times[i];
  const Fit honest = fit(samples, kColumns, 1), nonsense = fit(permuted, kColumns, 1);
  std::vector<double> errors;
  for (const auto& x : sizes())
    errors.push_back(std::abs(nonsense.predict(x) / dot(x, kTruth) - 1));
  EXPECT_GT(median(errors), 0.5);
  EXPECT_GT(nonsense.median_abs_relative_residual, 10 * honest.median_abs_relative_residual);
}

TEST(Fit, HalvesOfTheProcessesAgree) {
  const std::vector<Sample> samples = synthetic(sizes(), kTruth, 10, {0.05, 0.02}, 16);
  std::vector<Sample> halves[2];
  for (const Sample& sample : samples)
    halves[static_cast<std::size_t>(sample.group % 2)].push_back(sample);
  const Fit a = fit(halves[0], kColumns, 1), b = fit(halves[1], kColumns, 1);
  for (std::size_t j = 1; j < 3; ++j)
    EXPECT_NEAR(a.coefficients[j] / b.coefficients[j], 1, 0.08) << j;
}

TEST(Fit, IntervalsCoverTheTruthAndGrowWithTheNoiseBetweenProcesses) {
  int covered = 0;
  constexpr int kTrials = 40;
  FitOptions options;
  options.draws = 200;
  for (std::uint64_t seed = 0; seed < kTrials; ++seed) {
    const Fit f =
        fit(synthetic(sizes(), kTruth, 100 + seed, {0.02, 0.05}, 12, 3), kColumns, seed, options);
    covered += f.low[1] <= kTruth[1] && kTruth[1] <= f.high[1];
  }
  EXPECT_GE(covered, kTrials * 80 / 100);
  const Fit quiet = fit(synthetic(sizes(), kTruth, 1, {0.02, 0}), kColumns, 1);
  const Fit noisy = fit(synthetic(sizes(), kTruth, 1, {0.02, 0.1}), kColumns, 1);
  EXPECT_GT(noisy.high[1] - noisy.low[1], 2 * (quiet.high[1] - quiet.low[1]));
}

TEST(Fit, OneProcessHasNoInterval) {
  const Fit f = fit(synthetic(sizes(), kTruth, 1, {0.05, 0}, 1), kColumns, 1);
  EXPECT_EQ(f.low, f.coefficients);
  EXPECT_EQ(f.high, f.coefficients);
}

// Every item has the same size: bytes and items cannot be told apart, the call can.
TEST(Fit, ColumnsThatMoveTogetherAreNotIdentified) {
  std::vector<std::vector<double>> points;
  for (double bytes = 4096; bytes <= 16777216; bytes *= 4)
    points.push_back({1, bytes, bytes / 4096});
  const Fit f = fit(synthetic(points, kTruth, 1, {0.05, 0}), kColumns, 1);
  EXPECT_THAT(f.identified, ElementsAre(true, false, false));
  EXPECT_GT(f.condition, 1e3);
}

TEST(Fit, AColumnOfZeroesIsNotIdentified) {
  std::vector<std::vector<double>> points;
  for (double bytes = 4096; bytes <= 16777216; bytes *= 4) points.push_back({1, bytes, 0});
  const Fit f = fit(synthetic(points, kTruth, 1, {0.05, 0}), kColumns, 1);
  EXPECT_THAT(f.identified, ElementsAre(true, true, false));
  EXPECT_EQ(f.coefficients[2], 0);
  EXPECT_NEAR(f.coefficients[1] / kTruth[1], 1, 0.05);
}

TEST(Fit, SameSeedSameResult) {
  const std::vector<Sample> samples = synthetic(sizes(), kTruth, 1, {0.05, 0.05});
  const Fit a = fit(samples, kColumns, 7), b = fit(samples, kColumns, 7);
  EXPECT_EQ(a.coefficients, b.coefficients);
  EXPECT_EQ(a.low, b.low);
  EXPECT_EQ(a.high, b.high);
}

std::string refusal(const std::vector<Sample>& samples, const std::vector<std::string>& columns) {
  try {
    fit(samples, columns, 1);
  } catch (const InputError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Fit, RefusesWhatCannotBeFitted) {
  const std::vector<Sample> two{
      {{1, 10, 1}, 1e-3, 0}, {{1, 20, 1}, 2e-3, 0}, {{1, 20, 1}, 2e-3, 1}};
  EXPECT_THAT(refusal(two, kColumns), HasSubstr("2 different points cannot fit 3 columns"));
  EXPECT_THAT(refusal({}, kColumns), HasSubstr("0 different points"));
  EXPECT_THAT(refusal(two, {}), HasSubstr("no columns"));
  EXPECT_THAT(refusal(two, {"call"}), HasSubstr("3 values for 1 columns"));
  EXPECT_THAT(refusal({{{1}, 0, 0}}, {"call"}), HasSubstr("times are above zero"));
  EXPECT_THAT(refusal({{{1}, NAN, 0}}, {"call"}), HasSubstr("times are above zero"));
  EXPECT_THAT(refusal({{{-1}, 1, 0}}, {"call"}), HasSubstr("column 'call' is -1"));
  EXPECT_THAT(refusal({{{INFINITY}, 1, 0}}, {"call"}), HasSubstr("column 'call' is inf"));
}

TEST(Fit, HingeSplitsBytesAtTheBreakpoints) {
  EXPECT_THAT(hinge(50, {100, 300}), ElementsAre(50, 0, 0));
  EXPECT_THAT(hinge(100, {100, 300}), ElementsAre(100, 0, 0));
  EXPECT_THAT(hinge(250, {100, 300}), ElementsAre(100, 150, 0));
  EXPECT_THAT(hinge(1000, {100, 300}), ElementsAre(100, 200, 700));
  EXPECT_THAT(hinge(7, {}), ElementsAre(7));
  EXPECT_THROW(hinge(7, {3, 3}), std::invalid_argument);
  EXPECT_THROW(hinge(7, {0}), std::invalid_argument);
}

}  // namespace
}  // namespace missive
