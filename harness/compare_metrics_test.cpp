#include "harness/compare_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/result_fixture.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

const Metric& metric(const Result& result, std::size_t point, const std::string& name) {
  for (const Metric& m : result.points.at(point).metrics)
    if (m.name == name) return m;
  throw std::out_of_range("no metric " + name);
}

TEST(Compare, RelativeErrorIsOfTheMeasuredMedian) {
  const Result r = made_up_result(small_experiment());
  const Metric& verify = metric(r, 1, "verify");
  EXPECT_DOUBLE_EQ(verify.measured->median, 0.020);
  EXPECT_EQ(verify.measured->n, 4U);
  EXPECT_LE(verify.measured->low, 0.020);
  EXPECT_GE(verify.measured->high, 0.020);
  EXPECT_NEAR(*verify.relative_error, 0.05, 1e-12);
  EXPECT_EQ(verify.within_tolerance, true);
  EXPECT_EQ(verify.provenance, "measured");
}

TEST(Compare, EveryPhaseIsThereInBothWorldsAlsoThoseThatDidNotHappen) {
  const Result r = made_up_result(small_experiment());
  for (const Phase phase : kPhases) {
    const Metric& m = metric(r, 0, to_string(phase));
    EXPECT_TRUE(m.simulated.has_value());
    EXPECT_TRUE(m.measured.has_value());
  }
  EXPECT_EQ(metric(r, 0, "fetch").measured->median, 0);
  EXPECT_FALSE(metric(r, 0, "fetch").within_tolerance.has_value());
}

TEST(Compare, TheCostOfTheCacheIsTotalMinusNativeTwinInBothWorlds) {
  const Result r = made_up_result(small_experiment());
  const Metric& cost = metric(r, 0, kCost);
  EXPECT_NEAR(cost.measured->median, 0.21 - 0.1, 1e-12);
  EXPECT_NEAR(*cost.simulated, 0.21 * 1.05 - 0.1, 1e-12);
  EXPECT_LT(cost.measured->low, cost.measured->median);
}

TEST(Compare, APredictionOutsideTheToleranceFailsTheRun) {
  const Experiment e = small_experiment();
  EXPECT_EQ(exit_status(made_up_result(e, 0.05), e), ExitStatus::ok);
  const Result bad = made_up_result(e, 0.5);
  EXPECT_EQ(bad.summary.within_tolerance, false);
  EXPECT_EQ(metric(bad, 0, "verify").within_tolerance, false);
  EXPECT_EQ(exit_status(bad, e), ExitStatus::claim_failed);
}

TEST(Compare, AShortPhaseIsNotJudgedUnlessItIsPredictedAsLong) {
  const Experiment e = small_experiment();
  Result r = empty_result(e);
  PointData data = made_up_point(0, 0.0005, 0.2, 0.9, 1000);
  compare(e, {data}, made_up_parameters(), r);
  EXPECT_FALSE(metric(r, 0, "verify").within_tolerance.has_value());
  EXPECT_THAT(metric(r, 0, "verify").note, HasSubstr("not judged"));
  data.simulated["verify"] = 0.5;
  Result missed = empty_result(e);
  compare(e, {data}, made_up_parameters(), missed);
  EXPECT_EQ(metric(missed, 0, "verify").within_tolerance, false);
  EXPECT_EQ(missed.summary.within_tolerance, false);
}

TEST(Compare, AnErrorBelowTheNoiseFloorIsNotHeldAgainstTheModel) {
  const Experiment e = small_experiment();
  PointData data = made_up_point(0, 0.010, 0.2, 0.0, 1000);
  const double noisy[] = {0.005, 0.007, 0.013, 0.015};
  for (std::size_t i = 0; i < 4; ++i) data.launches[i].times["verify"] = noisy[i];
  data.simulated["verify"] = 0.0125;  // 25 % off, tolerance is 20 %
  Result r = empty_result(e);
  compare(e, {data}, made_up_parameters(), r);
  const Metric& verify = metric(r, 0, "verify");
  ASSERT_GT(*verify.measured->noise_floor, 0.25);
  EXPECT_EQ(verify.within_tolerance, true);
}

TEST(Compare, ADifferentAmountIsADefectWhateverTheTimes) {
  const Experiment e = small_experiment();
  Result r = empty_result(e);
  PointData data = made_up_point(0, 0.01, 0.2, 0.0, 1000);
  data.launches[3].amounts->operator[](Amount::bytes_hashed) = 1001;
  compare(e, {data}, made_up_parameters(), r);
  EXPECT_EQ(r.summary.amounts_equal, false);
  ASSERT_EQ(r.summary.amount_differences.size(), 1U);
  EXPECT_THAT(r.summary.amount_differences[0],
              HasSubstr("bytes_hashed: simulated 1000, measured 1000 to 1001"));
  EXPECT_EQ(exit_status(r, e), ExitStatus::claim_failed);
}

TEST(Compare, TheDumbPredictorIsPerfectWhereTimeIsLinearInBytes) {
  const Result r = made_up_result(small_experiment());
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(*metric(r, i, "verify").baseline_relative_error, 0, 1e-9);
    EXPECT_NEAR(*metric(r, i, "boot").baseline_relative_error, 0, 1e-9);
  }
}

TEST(Compare, OneWorldAloneLeavesTheOtherEmpty) {
  const Experiment e = small_experiment();
  PointData data = made_up_point(0, 0.01, 0.2, 0.0, 1000);
  data.launches.clear();
  data.launch_records.clear();
  data.native.clear();
  Result r = empty_result(e);
  compare(e, {data}, made_up_parameters(), r);
  EXPECT_TRUE(metric(r, 0, "verify").simulated.has_value());
  EXPECT_FALSE(metric(r, 0, "verify").measured.has_value());
  EXPECT_FALSE(r.summary.within_tolerance.has_value());
  EXPECT_FALSE(r.summary.amounts_equal.has_value());
  EXPECT_EQ(exit_status(r, e), ExitStatus::ok);
  Experiment strict = e;
  strict.require_real = true;
  EXPECT_EQ(exit_status(r, strict), ExitStatus::not_available);
}

TEST(Compare, TheWeakestProvenanceIsTheOneShown) {
  const Experiment e = small_experiment();
  Result r = empty_result(e);
  compare(e, {made_up_point(0, 0.01, 0.2, 0.0, 1)}, made_up_parameters(Provenance::assumed), r);
  EXPECT_EQ(metric(r, 0, "verify").provenance, "assumed");
  EXPECT_TRUE(r.parameters_used.contains("sha256_tree.byte_s"));
}

TEST(Compare, TheSameInputGivesTheSameResult) {
  const Experiment e = small_experiment();
  EXPECT_EQ(to_json(made_up_result(e)).dump(), to_json(made_up_result(e)).dump());
}

TEST(Compare, InterruptionAndFailureComeBeforeTheVerdict) {
  const Experiment e = small_experiment();
  Result r = made_up_result(e, 0.5);
  r.summary.failures.push_back("cold: the cache died");
  EXPECT_EQ(exit_status(r, e), ExitStatus::run_failed);
  r.summary.interrupted = true;
  EXPECT_EQ(exit_status(r, e), ExitStatus::interrupted);
}

TEST(Compare, TimesOfRecordsAreUnionsPerPhase) {
  const auto times = times_of({record("a", Phase::fetch, Place::cache, 0, 2),
                               record("b", Phase::fetch, Place::origin, 1, 3),
                               record("c", Phase::boot, Place::application, 4, 5)});
  EXPECT_DOUBLE_EQ(times.at("fetch"), 3);
  EXPECT_DOUBLE_EQ(times.at("boot"), 1);
  EXPECT_DOUBLE_EQ(times.at(kTotal), 5);
}

TEST(Compare, TheMedianLaunchIsTheOneShownInTheTrace) {
  std::vector<Launch> launches;
  for (const double total : {3.0, 1.0, 2.0}) launches.push_back({0, {{kTotal, total}}, {}});
  EXPECT_EQ(median_launch(launches), 2U);
}

}  // namespace
}  // namespace missive::harness
