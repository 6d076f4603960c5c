// The closed forms against figures worked out by hand or published.

#include "models/closed_forms.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "models/queueing.h"

namespace missive {
namespace {

using ::testing::HasSubstr;

std::string problem(const std::string& name, const std::map<std::string, double>& arguments) {
  try {
    closed_form(name, arguments);
  } catch (const InputError& e) {
    return e.what();
  }
  return "no error";
}

TEST(ClosedForms, AQuarterOfTheCyclesIsAThirdMoreThroughput) {
  EXPECT_NEAR(closed_form("regained_throughput", {{"regained", 0.25}}), 1.0 / 3, 1e-15);
  EXPECT_NEAR(closed_form("regained_throughput", {{"regained", 0.16}}), 0.1905, 5e-5);
}

TEST(ClosedForms, SoftwareIsolationEatsWhatIsRegained) {
  EXPECT_NEAR(closed_form("net_regained", {{"regained", 0.25}, {"slow_down", 0.07}}), 0.1975,
              1e-12);
  EXPECT_LT(closed_form("net_regained", {{"regained", 0.25}, {"slow_down", 0.40}}), 0);
}

TEST(ClosedForms, OneInAHundredMeetsTwoThirdsOfWideRequests) {
  EXPECT_NEAR(closed_form("any_slow", {{"slow_share", 0.01}, {"parts", 100}}), 0.634, 5e-4);
}

TEST(ClosedForms, GuardRegionsFillTheAddressSpace) {
  EXPECT_EQ(closed_form("address_slots", {{"address_bits", 47}, {"slot_bytes", std::exp2(33)}}),
            16384);
}

TEST(ClosedForms, AChainIsAsLoadedAsItsServices) {
  const double ratio = closed_form("chain_response_ratio", {{"depth", 8}, {"load", 0.9}});
  EXPECT_NEAR(ratio, 10, 1e-9);
  EXPECT_NEAR(ratio, mm1_response(0.9, 1), 1e-12);
  EXPECT_EQ(closed_form("chain_response_ratio", {{"depth", 8}, {"load", 0}}), 1);
}

TEST(ClosedForms, ARecipeIsAllNodesButTheRoot) {
  // 4 blocks, degree 2: 4 leaves and 2 inner nodes.
  EXPECT_EQ(merkle_recipe_bytes(4 * 65536.0, 65536, 2), 6 * 24);
  EXPECT_EQ(merkle_recipe_bytes(65536, 65536, 2), 0);  // one block: the root is the leaf
  EXPECT_NEAR(merkle_recipe_bytes(std::exp2(26), 4096, 2) / 1024, 768, 0.1);
  EXPECT_NEAR(merkle_recipe_bytes(std::exp2(26), 65536, 256) / 1024, 24, 0.2);
}

TEST(ClosedForms, AWideTreeSavesHalfTheHashesAtMost) {
  for (const double blocks : {2.0, 3.0, 100.0, 4097.0})
    EXPECT_LE(merkle_recipe_bytes(blocks, 1, 2), 2 * merkle_recipe_bytes(blocks, 1, 256) + 24 * 12);
}

TEST(ClosedForms, TheScalabilityLawPassesThroughOneThread) {
  EXPECT_EQ(closed_form("scalability",
                        {{"single", 8217}, {"serial", 0.6}, {"crosstalk", 0.0105}, {"threads", 1}}),
            8217);
  EXPECT_NEAR(
      closed_form("scalability",
                  {{"single", 8217}, {"serial", 0.6}, {"crosstalk", 0.0105}, {"threads", 2}}),
      10137, 5);
}

TEST(ClosedForms, SwitchesAndSlowDownsTrade) {
  EXPECT_NEAR(closed_form("break_even_switch_rate", {{"slow_down", 0.07}, {"switch_s", 129e-9}}),
              0.5426e6, 100);
}

TEST(ClosedForms, BadArgumentsAreNamed) {
  EXPECT_THAT(problem("regained_trougput", {}), HasSubstr("did you mean 'regained_throughput'?"));
  EXPECT_THAT(problem("any_slow", {{"parts", 2}}), HasSubstr("'slow_share' is missing"));
  EXPECT_THAT(problem("regained_throughput", {{"regained", 0.1}, {"x", 1}}),
              HasSubstr("unknown argument 'x'"));
  EXPECT_THAT(problem("regained_throughput", {{"regained", 1}}), HasSubstr("below 1"));
  EXPECT_THAT(problem("chase_speed_up", {{"cycles_before", 4}, {"cycles_after", 0}}),
              HasSubstr("must be positive"));
}

TEST(ClosedForms, NamesAreUnique) {
  for (const ClosedForm& a : closed_forms())
    for (const ClosedForm& b : closed_forms())
      if (&a != &b) {
        EXPECT_NE(a.name, b.name);
      }
}

}  // namespace
}  // namespace missive
