// Verdicts on made-up results: one statement a test.

#include "harness/claim_judge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/claim_text.h"
#include "harness/result.h"
#include "harness/test_support.h"
#include "models/error.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

const bool kDataReady = (use_source_data(), true);

Json metric(const std::string& name, double simulated, double median, double low, double high,
            int n) {
  return Json{{"name", name},
              {"simulated", simulated},
              {"measured", Json{{"median", median}, {"ci95", Json::array({low, high})}, {"n", n}}}};
}

// Points "a" and "b" of x, each with one time.
Json result(const Json& a, const Json& b = Json()) {
  Json points = Json::array();
  points.push_back(
      Json{{"parameters", Json{{"x", "a"}, {"domains", 30}}}, {"metrics", Json::array({a})}});
  if (!b.is_null())
    points.push_back(Json{{"parameters", Json{{"x", "b"}}}, {"metrics", Json::array({b})}});
  return Json{{"schema", "missive-sim/result/1"},
              {"experiment", Json{{"name", "launch"}}},
              {"context", Json{{"cpu", "Xeon X"},
                               {"mechanisms", Json{{"kvm", "no /dev/kvm"}, {"pie", true}}}}},
              {"points", points},
              {"summary", Json{{"amounts_equal", true},
                               {"median_abs_relative_error", nullptr},
                               {"not_available", Json::array()}}}};
}

ClaimTerm term(const std::string& x = "a") {
  ClaimTerm t;
  t.metric = "t";
  t.where["x"] = x;
  return t;
}

Claim range(double low, double high) {
  Claim c;
  c.id = "C1";
  c.experiment = "launch";
  c.unit = "s";
  c.values = {{ClaimOp::value, {term()}}};
  c.low = low;
  c.high = high;
  return c;
}

Verdict verdict(const Claim& c, const Json& r) { return judge(c, r).verdict; }

TEST(Judge, AnIntervalInsideTheLimitsIsReproduced) {
  const ClaimVerdict v = judge(range(1, 2), result(metric("t", 1.4, 1.5, 1.4, 1.6, 10)));
  EXPECT_EQ(v.verdict, Verdict::reproduced);
  EXPECT_TRUE(v.decides);
  EXPECT_EQ(v.measured->n, 10U);
  EXPECT_EQ(v.simulated->value, 1.4);
  EXPECT_EQ(v.simulated_holds, true);
}

TEST(Judge, AnIntervalOutsideIsNotReproducedWhateverTheModelSays) {
  const ClaimVerdict v = judge(range(1, 2), result(metric("t", 1.5, 2.5, 2.1, 2.6, 10)));
  EXPECT_EQ(v.verdict, Verdict::not_reproduced);
  EXPECT_THAT(v.why, HasSubstr("above what is expected (1.00 s to 2.00 s)"));
  EXPECT_EQ(v.simulated_holds, true);
  EXPECT_TRUE(any_broken({v}));
}

TEST(Judge, AnIntervalAcrossALimitSaysHowManyRepetitionsWouldTell) {
  // Half the interval is 0.4, the limit 0.2 away: four times the repetitions, 30 more.
  const ClaimVerdict v = judge(range(1, 2), result(metric("t", 1, 1.8, 1.4, 2.2, 10)));
  EXPECT_EQ(v.verdict, Verdict::inconclusive);
  EXPECT_THAT(v.why, HasSubstr("about 30 more repetitions would tell"));
  EXPECT_FALSE(any_broken({v}));
}

TEST(Judge, ANumberThatIsTheLimitIsToldSo) {
  EXPECT_THAT(judge(range(1, 2), result(metric("t", 1, 2, 1.9, 2.2, 10))).why,
              HasSubstr("no repetitions would tell"));
}

TEST(Judge, OneValueHasNoIntervalUnlessItIsACount) {
  const Json r = result(metric("t", 1, 1.5, 1.5, 1.5, 1));
  EXPECT_EQ(verdict(range(1, 2), r), Verdict::inconclusive);
  Claim count = range(1, 2);
  count.values[0].terms[0].count = true;
  EXPECT_EQ(verdict(count, r), Verdict::reproduced);
}

TEST(Judge, TheModelDecidesWhereItIsAsked) {
  Claim c = range(1, 2);
  c.decides = World::simulated;
  EXPECT_EQ(verdict(c, result(metric("t", 1.5, 9, 9, 9, 3))), Verdict::reproduced);
  EXPECT_EQ(verdict(c, result(metric("t", 3, 1.5, 1.5, 1.5, 3))), Verdict::not_reproduced);
}

TEST(Judge, WithoutTheDecidingWorldNothingIsSaid) {
  Json r = result(metric("t", 1.5, 0, 0, 0, 0));
  r["points"][0]["metrics"][0]["measured"] = nullptr;
  const ClaimVerdict v = judge(range(1, 2), r);
  EXPECT_EQ(v.verdict, Verdict::not_run);
  EXPECT_EQ(v.why, "t was not measured");
  EXPECT_FALSE(v.measured.has_value());
}

TEST(Judge, AMissingPointOrMechanismIsNamed) {
  const Json r = result(metric("t", 1, 1, 1, 1, 3));
  Claim c = range(1, 2);
  c.values[0].terms[0].where["x"] = "z";
  EXPECT_EQ(judge(c, r).why, "no point of this run has x z");
  c.needs = {"pie", "kvm"};
  EXPECT_EQ(judge(c, r).why, "kvm is not available here: no /dev/kvm");
}

TEST(Judge, AbsoluteFiguresAreJudgedOnTheirHardwareOnly) {
  Claim c = range(1, 2);
  c.tier = Tier::absolute;
  const Json r = result(metric("t", 1, 5, 4.9, 5.1, 10));
  EXPECT_EQ(verdict(c, r), Verdict::not_reproduced);
  EXPECT_FALSE(any_broken({judge(c, r)}));  // no hardware named: shown, not decisive
  c.hardware = "Xeon Y";
  EXPECT_EQ(verdict(c, r), Verdict::not_run);
  EXPECT_THAT(judge(c, r).why, HasSubstr("on this Xeon X it is 5.00 s"));
  EXPECT_TRUE(judge(c, r).measured.has_value());
  c.hardware = "Xeon X";
  EXPECT_TRUE(any_broken({judge(c, r)}));
}

TEST(Judge, ReachingABoundOfTheRunsOwnIsOpen) {
  Claim c = range(100, 1000);
  c.values[0].terms[0].count = true;
  c.open_at = "domains";
  EXPECT_EQ(verdict(c, result(metric("t", 30, 30, 30, 30, 1))), Verdict::not_run);
  EXPECT_EQ(verdict(c, result(metric("t", 30, 29, 29, 29, 1))), Verdict::not_reproduced);
}

TEST(Judge, ARatioHasTheWidestInterval) {
  Claim c = range(0, 10);
  c.kind = ClaimKind::ratio;
  c.values = {{ClaimOp::ratio, {term("a"), term("b")}}};
  const ClaimVerdict v = judge(c, result(metric("t", 4, 4, 3, 5, 8), metric("t", 2, 2, 1, 4, 5)));
  EXPECT_DOUBLE_EQ(v.measured->value, 2);
  EXPECT_DOUBLE_EQ(v.measured->low, 0.75);
  EXPECT_DOUBLE_EQ(v.measured->high, 5);
  EXPECT_EQ(v.measured->n, 5U);
  EXPECT_EQ(v.verdict, Verdict::reproduced);
}

TEST(Judge, AShareSavedIsOneLessTheQuotient) {
  Claim c = range(0.7, 0.8);
  c.values = {{ClaimOp::saved, {term("a"), term("b")}}};
  const Json r = result(metric("t", 4, 4, 4, 4, 3), metric("t", 1, 1, 1, 1, 3));
  EXPECT_DOUBLE_EQ(judge(c, r).measured->value, 0.75);
  EXPECT_EQ(verdict(c, r), Verdict::reproduced);
}

TEST(Judge, AnOrderNeedsEveryStep) {
  Claim c = range(0, 0);
  c.kind = ClaimKind::order;
  c.low.reset();
  c.values = {{ClaimOp::value, {term("a")}}, {ClaimOp::value, {term("b")}}};
  const Json one = metric("t", 1, 1, 0.9, 1.1, 5), two = metric("t", 2, 2, 1.8, 2.2, 5);
  EXPECT_EQ(verdict(c, result(one, two)), Verdict::reproduced);
  EXPECT_EQ(verdict(c, result(two, one)), Verdict::not_reproduced);
  EXPECT_EQ(verdict(c, result(one, metric("t", 1, 1.15, 1.0, 1.3, 5))), Verdict::inconclusive);
  c.low = 3;
  EXPECT_EQ(verdict(c, result(one, two)), Verdict::not_reproduced);
}

TEST(Judge, EqualNumbersAreNoOrder) {
  Claim c = range(0, 0);
  c.kind = ClaimKind::order;
  c.decides = World::simulated;
  c.low.reset();
  c.values = {{ClaimOp::value, {term("a")}}, {ClaimOp::value, {term("b")}}};
  const Json same = metric("t", 1, 1, 1, 1, 5);
  EXPECT_EQ(verdict(c, result(same, same)), Verdict::not_reproduced);
}

TEST(Judge, ATrendIsAnExponent) {
  Claim c = range(1.9, 2.1);
  c.kind = ClaimKind::trend;
  c.x = {1, 10};
  c.values = {{ClaimOp::value, {term("a")}}, {ClaimOp::value, {term("b")}}};
  const Json r = result(metric("t", 3, 3, 3, 3, 5), metric("t", 300, 300, 300, 300, 5));
  EXPECT_NEAR(judge(c, r).measured->value, 2, 1e-12);
  EXPECT_EQ(verdict(c, r), Verdict::reproduced);
}

TEST(Judge, CurvesMeetWhereTheirDifferenceChangesSign) {
  Claim c = range(9, 11);
  c.kind = ClaimKind::crossover;
  c.decides = World::simulated;
  c.x = {1, 100};
  c.values = {{ClaimOp::value, {term("a")}}, {ClaimOp::value, {term("b")}}};
  ClaimTerm constant;
  constant.number = 2;
  c.against = {{ClaimOp::value, {constant}}, {ClaimOp::value, {constant}}};
  const Json r = result(metric("t", 1, 1, 1, 1, 1), metric("t", 3, 3, 3, 3, 1));
  EXPECT_NEAR(judge(c, r).simulated->value, 10, 1e-9);
  EXPECT_EQ(verdict(c, r), Verdict::reproduced);
  EXPECT_EQ(judge(c, result(metric("t", 1, 1, 1, 1, 1), metric("t", 1.5, 1, 1, 1, 1))).why,
            "the two curves do not meet in this range");
}

TEST(Judge, EquivalenceNeedsTheWholeIntervalInsideTheMargin) {
  Claim c = range(0, 0);
  c.kind = ClaimKind::equivalent;
  c.within = 0.1;
  c.values = {{ClaimOp::value, {term("a")}}, {ClaimOp::value, {term("b")}}};
  const Json one = metric("t", 1, 1, 0.99, 1.01, 9);
  EXPECT_EQ(verdict(c, result(one, metric("t", 1, 1.02, 1.01, 1.03, 9))), Verdict::reproduced);
  EXPECT_EQ(verdict(c, result(one, metric("t", 1, 1.02, 0.8, 1.3, 9))), Verdict::inconclusive);
  EXPECT_EQ(verdict(c, result(one, metric("t", 1, 2, 1.9, 2.1, 9))), Verdict::not_reproduced);
}

TEST(Judge, ExactMeansWithinABillionth) {
  Claim c = range(0, 0);
  c.kind = ClaimKind::exact;
  c.decides = World::simulated;
  c.equals = 1;
  EXPECT_EQ(verdict(c, result(metric("t", 1 + 1e-10, 0, 0, 0, 1))), Verdict::reproduced);
  EXPECT_EQ(verdict(c, result(metric("t", 1 + 1e-8, 0, 0, 0, 1))), Verdict::not_reproduced);
}

TEST(Judge, ASummaryThatDidNotCompareIsNoNumber) {
  Claim c = range(0, 1);
  c.values[0].terms[0] = {};
  c.values[0].terms[0].summary = "amounts_equal";
  EXPECT_EQ(verdict(c, result(metric("t", 1, 1, 1, 1, 1))), Verdict::reproduced);
  c.values[0].terms[0].summary = "median_abs_relative_error";
  EXPECT_EQ(verdict(c, result(metric("t", 1, 1, 1, 1, 1))), Verdict::not_run);
}

TEST(Judge, AMachineNoisierThanTheLimitConcludesNothing) {
  Claim c = range(0, 0.1);
  c.values[0].terms[0] = {};
  c.values[0].terms[0].summary = "median_abs_relative_error";
  c.noise = "total_noise_floor";
  Json r = result(metric("t", 1, 1, 1, 1, 1));
  r["summary"]["median_abs_relative_error"] = 0.2;
  r["summary"]["total_noise_floor"] = 0.3;
  EXPECT_EQ(verdict(c, r), Verdict::inconclusive);
  r["summary"]["total_noise_floor"] = 0.05;
  EXPECT_EQ(verdict(c, r), Verdict::not_reproduced);
}

TEST(Judge, AClosedFormNeedsNoResult) {
  Claim c = range(0.33, 0.34);
  c.experiment.clear();
  c.decides = World::simulated;
  ClaimTerm t;
  t.model = "regained_throughput";
  t.arguments["regained"] = 0.25;
  c.values = {{ClaimOp::value, {t}}};
  EXPECT_EQ(verdict(c, nullptr), Verdict::reproduced);
}

TEST(Judge, AnotherExperimentsResultSaysNothing) {
  Claim c = range(1, 2);
  c.experiment = "isolation-table";
  EXPECT_EQ(judge(c, result(metric("t", 1, 1, 1, 1, 1))).why,
            "experiment 'isolation-table' was not run");
}

TEST(Judge, WhatIsNoResultIsRefused) {
  EXPECT_THROW(judge(range(1, 2), Json{{"schema", "missive-sim/result/2"}}), InputError);
}

TEST(Verdicts, SurviveBeingWrittenAndRead) {
  ClaimsFile claims;
  claims.claims = {range(1, 2)};
  const std::vector<ClaimVerdict> verdicts{
      judge(claims.claims[0], result(metric("t", 1.25, 2.5, 2.1, 2.6, 10)))};
  const Json document = verdicts_json(claims, verdicts, Json::object());
  const auto again = read_verdicts(claims, Json::parse(document.dump()), "v.json");
  EXPECT_EQ(claims_markdown(claims, again, false), claims_markdown(claims, verdicts, false));
  EXPECT_EQ(claims_csv(claims, again), claims_csv(claims, verdicts));
  EXPECT_THROW(read_verdicts(ClaimsFile{}, document, "v.json"), InputError);
  EXPECT_THROW(read_verdicts(claims, Json::object(), "v.json"), InputError);
}

TEST(Verdicts, OnlyThoseThatDecideMakeTheExitStatus) {
  Experiment e;
  Result r;
  const auto with = [&](bool decides, const char* verdict) {
    r.claims = Json::array({Json{{"decides", decides}, {"verdict", verdict}}});
    return exit_status(r, e);
  };
  EXPECT_EQ(with(true, "not reproduced"), ExitStatus::claim_failed);
  EXPECT_EQ(with(false, "not reproduced"), ExitStatus::ok);
  EXPECT_EQ(with(true, "inconclusive"), ExitStatus::ok);
  r.summary.failures = {"x"};
  EXPECT_EQ(with(true, "not reproduced"), ExitStatus::run_failed);
}

TEST(Verdicts, AreCountedAndTheDoubtfulNamed) {
  ClaimVerdict a, b, c;
  a.id = "C1", a.verdict = Verdict::reproduced;
  b.id = "C2", b.verdict = Verdict::not_reproduced;
  c.id = "C3", c.verdict = Verdict::not_run;
  EXPECT_EQ(verdict_counts({a, b, c}), "1 reproduced, 1 not reproduced (C2), 1 not run here");
}

TEST(Sections, AreReplacedBetweenTheirMarkers) {
  const std::string text = "a\n<!-- x:begin (made by y) -->\nold\n<!-- x:end -->\nb\n";
  EXPECT_EQ(with_section(text, "x", "new\n", "f.md"),
            "a\n<!-- x:begin (made by y) -->\n\nnew\n\n<!-- x:end -->\nb\n");
  EXPECT_EQ(with_section(with_section(text, "x", "new\n", "f.md"), "x", "new\n", "f.md"),
            with_section(text, "x", "new\n", "f.md"));
  EXPECT_THROW(with_section("no markers", "x", "", "f.md"), InputError);
  EXPECT_THROW(with_section(text + text, "x", "", "f.md"), InputError);
}

}  // namespace
}  // namespace missive::harness
