#include "harness/compare_results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/result_fixture.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

Result made_up(double factor = 1) {
  Result result = made_up_result(small_experiment());
  result.context = Json{{"cpu", "x"}};
  for (ObservationRow& row : result.observations)
    if (row.unit == "s" && row.backend == "real") row.value *= factor;
  for (PointResult& point : result.points)
    for (Metric& m : point.metrics)
      if (m.measured && m.unit == "s") m.measured->median *= factor;
  return result;
}

const MetricChange& find(const ResultComparison& c, const std::string& metric, bool measured) {
  for (const MetricChange& m : c.metrics)
    if (m.metric == metric && m.measured == measured) return m;
  throw std::logic_error("no " + metric);
}

TEST(CompareResults, AResultDoesNotDifferFromItself) {
  const ResultComparison c = compare_results(made_up(), made_up());
  EXPECT_EQ(c.count(Change::faster) + c.count(Change::slower) + c.count(Change::larger) +
                c.count(Change::smaller),
            0U);
  EXPECT_GT(c.count(Change::same), 10U);
  EXPECT_TRUE(c.differences.empty());
  EXPECT_EQ(find(c, "total", true).ratio, 1.0);
}

TEST(CompareResults, WhatTakesLongerThanTheNoiseIsSlowerAndTheOtherWayRound) {
  const ResultComparison c = compare_results(made_up(), made_up(1.5));
  const MetricChange& total = find(c, "total", true);
  EXPECT_EQ(total.change, Change::slower);
  EXPECT_NEAR(*total.ratio, 1.5, 1e-9);
  EXPECT_LT(*total.low, 1.5);
  EXPECT_GT(*total.high, 1.5);
  EXPECT_EQ(find(c, "total", false).change, Change::same);  // the model is the same
  EXPECT_EQ(find(compare_results(made_up(1.5), made_up()), "total", true).change, Change::faster);
}

TEST(CompareResults, ADifferenceBelowTheNoiseFloorIsNone) {
  Result a = made_up(), b = made_up(1.5);
  for (PointResult& point : b.points)
    for (Metric& m : point.metrics)
      if (m.measured) m.measured->noise_floor = 0.6;
  EXPECT_EQ(find(compare_results(a, b), "total", true).change, Change::same);
}

TEST(CompareResults, ADifferenceWithinTheIntervalIsNone) {
  Result a = made_up(), b = made_up();
  std::size_t i = 0;
  for (ObservationRow& row : b.observations)
    if (row.backend == "real" && row.metric == "total") row.value *= ++i % 2 ? 0.5 : 2;
  EXPECT_EQ(find(compare_results(a, b), "total", true).change, Change::same);
}

TEST(CompareResults, WhatOnlyOneSideHasIsNotComparableAndSaysWhy) {
  Result a = made_up(), b = made_up();
  for (Metric& m : b.points[0].metrics)
    if (m.name == "boot") m.measured.reset();
  b.points.pop_back();
  b.context["cpu"] = "y";
  const ResultComparison c = compare_results(a, b);
  EXPECT_EQ(find(c, "boot", true).change, Change::not_comparable);
  EXPECT_EQ(find(c, "boot", true).why, "not measured in B");
  EXPECT_THAT(c.only_in_a, ::testing::ElementsAre("hot mac"));
  EXPECT_THAT(c.differences, ::testing::ElementsAre("cpu: A x, B y"));
}

TEST(CompareResults, ResultsWithoutACommonPointAreRefused) {
  Result a = made_up(), b = made_up();
  b.name = "other";
  for (PointResult& point : b.points) point.id = "x" + point.id;
  try {
    compare_results(a, b);
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), HasSubstr("no point in common (A answers 't', B 'other')"));
  }
}

}  // namespace
}  // namespace missive::harness
