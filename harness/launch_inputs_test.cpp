#include "harness/launch_inputs.h"

#include <gmock/gmock.h>

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

TEST(LaunchInputs, TheApplicationsOwnTimeIsTheMedianOfItsNativeStarts) {
  EXPECT_EQ(native_ready_name("gimp"), "application.gimp.native_ready_s");
  const Parameter p = native_ready_of("gimp", {0.4, 0.9, 0.41, 0.39, 0.43, 0.42, 0.4});
  EXPECT_DOUBLE_EQ(p.value, 0.41) << "one start of twice the time does not move it";
  EXPECT_LE(p.low, p.value);
  EXPECT_GE(p.high, p.value);
  EXPECT_EQ(p.unit, "s");
  EXPECT_EQ(p.provenance, Provenance::measured);
  EXPECT_THAT(p.source, HasSubstr("native twin of gimp: median of 7 starts"));
  EXPECT_FALSE(p.date.empty());
}

TEST(LaunchInputs, AScaledCostIsNobodysMeasurement) {
  ParameterSet set;
  set.set(native_ready_name("a"), native_ready_of("a", {2, 2, 2}));
  set.set(native_ready_name("b"), native_ready_of("b", {2, 2, 2}));
  scale(set, {{native_ready_name("a"), 3}, {native_ready_name("unknown"), 3}});
  const Parameter& scaled = set.at(native_ready_name("a"));
  EXPECT_DOUBLE_EQ(scaled.value, 6);
  EXPECT_DOUBLE_EQ(scaled.low, 6);
  EXPECT_EQ(scaled.provenance, Provenance::assumed);
  EXPECT_THAT(scaled.source, HasSubstr("what if it were 3 times"));
  EXPECT_DOUBLE_EQ(set.value(native_ready_name("b")), 2);
  EXPECT_FALSE(set.contains(native_ready_name("unknown")));
}

TEST(LaunchInputs, ALinkIsAScenario) {
  LaunchPoint point;
  point.origin_rtt = std::chrono::milliseconds(20);
  point.origin_bandwidth.bytes_per_second = 6.25e6;
  ParameterSet set;
  set_origin_link(set, point);
  EXPECT_DOUBLE_EQ(set.value("link.origin.latency_s"), 0.01) << "one way";
  EXPECT_DOUBLE_EQ(set.value("link.origin.bandwidth_bytes_per_s"), 6.25e6);
  EXPECT_EQ(set.at("link.origin.latency_s").provenance, Provenance::assumed);
}

}  // namespace
}  // namespace missive::harness
