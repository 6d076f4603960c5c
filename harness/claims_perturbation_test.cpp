// A tolerance that nothing can break proves nothing: a cost is changed, and exactly the claims that
// rest on it must fail. On the model's own experiment, so that every host sees the same.

#include <iostream>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/claim_judge.h"
#include "harness/launch_run.h"
#include "harness/test_support.h"
#include "models/error.h"

namespace missive::harness {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;

const bool kDataReady = (use_source_data(), true);

// Statements that no longer hold when the options change the experiment. An intended change of the
// model gives T0 claims other numbers: they are printed here, and belong into claims.json.
std::set<std::string> broken_by(const std::vector<std::string>& sets) {
  Overrides overrides;
  overrides.sets = sets;
  const Experiment e =
      load_experiment(source_dir() / "experiments" / "launch-model.json", overrides);
  const TemporaryFolder out;
  RunOptions options;
  options.out = out.path();
  const Json result = to_json(run_launch(e, options));
  const ClaimsFile claims = load_claims();
  const auto verdicts = judge_all(claims, result);
  EXPECT_GE(verdicts.size(), 9U);
  std::set<std::string> broken;
  for (const ClaimVerdict& v : verdicts) {
    EXPECT_NE(v.verdict, Verdict::not_run) << v.id << ": " << v.why;
    if (v.verdict == Verdict::not_reproduced)
      for (const Claim& c : claims.claims)
        if (c.id == v.id) {
          broken.insert(c.statement);
          if (sets.empty()) std::cerr << v.id << ": " << v.why << '\n';
        }
  }
  return broken;
}

TEST(Perturbation, NothingChangedNothingBreaks) { EXPECT_THAT(broken_by({}), IsEmpty()); }

TEST(Perturbation, HashingTwiceAsDearBreaksWhatHashes) {
  const auto broken = broken_by({"/parameters/scale/sha256_blocks.byte_s=2"});
  EXPECT_THAT(broken,
              IsSupersetOf({"The model's hot launch by hash", "The model's cold launch by hash"}));
  EXPECT_THAT(broken, Not(Contains("The model's hot launch by MAC")));
  EXPECT_THAT(broken, Not(Contains(HasSubstr("at least twice as fast"))));
}

TEST(Perturbation, AMacThreeTimesAsDearLosesItsAdvantage) {
  const auto broken = broken_by({"/parameters/scale/gmac.byte_s=3"});
  EXPECT_THAT(broken, IsSupersetOf({"The model's hot launch by MAC",
                                    "In the model a MAC is at least twice as fast as hashing, hot",
                                    "The model's cost of the untrusted cache, hot"}));
  EXPECT_THAT(broken, Not(Contains("The model's hot launch by hash")));
  EXPECT_THAT(broken, Not(Contains("The model's cold launch by hash")));
}

TEST(Perturbation, ALinkTwiceAsFarBreaksOnlyWhatCrossesIt) {
  EXPECT_THAT(broken_by({"/origin_link/rtt=40ms"}),
              ::testing::ElementsAre("The model's warm launch over 20 ms and 50 Mbit/s"));
}

TEST(Perturbation, ALinkAHundredTimesAsFastNoLongerDecides) {
  const auto broken = broken_by({"/origin_link/bandwidth=10Gbit/s", "/origin_link/rtt=0ms"});
  EXPECT_THAT(broken, Contains(HasSubstr("the link, not the processor, decides")));
}

TEST(Perturbation, AnApplicationTenTimesAsSlowHidesWhatTheCacheHolds) {
  const auto broken = broken_by({"/parameters/scale/application.gnumeric.native_ready_s=10"});
  EXPECT_THAT(broken, Contains(HasSubstr("In the model a hot launch is faster")));
  EXPECT_THAT(broken, Not(Contains("The model's cost of the untrusted cache, hot")));
}

TEST(Perturbation, AParameterThereIsNotIsRefusedWithASuggestion) {
  try {
    broken_by({"/parameters/scale/gmac.byte=3"});
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), HasSubstr("no such parameter; did you mean 'gmac.byte_s'?"));
  }
}

}  // namespace
}  // namespace missive::harness
