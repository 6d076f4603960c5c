// The claims file: what a wrong one is told, and that the shipped one is sound.

#include "harness/claims.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/experiment.h"
#include "harness/test_support.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

const bool kDataReady = (use_source_data(), true);

std::string file(const std::string& claim) {
  return R"({"format": "missive-sim/claims/1",
"experiments": [{"id": "E1", "name": "launch", "file": "launch.json", "what": "w", "human_minutes": 1,
  "profiles": {"kick": {"minutes": 1}, "short": {"minutes": 1}, "full": {"minutes": 1}}}],
"claims": [
)" + claim +
         "\n]}\n";
}

// A sound claim of `kind` but for what `more` says.
std::string claim(const std::string& more) {
  return R"({"id": "C1", "from": "Missive", "statement": "s", "source": "t", "tier": "T1",
  "experiment": "launch", "decides": "measured", "why": "w", "variation": "v")" +
         (more.empty() ? "" : ",\n  " + more) + "}";
}

std::string problem(const std::string& text) {
  try {
    read_claims(JsonSource::parse(text, "c.json"));
  } catch (const InputErrors& e) {
    return e.what();
  }
  return "no error";
}

constexpr const char* kTotal = R"({"of": [{"metric": "total", "where": {"verifier": "mac"}}]})";

std::string range(const std::string& more = R"("low": 1)") {
  return claim(R"("kind": "range", "values": [)" + std::string(kTotal) + "], " + more);
}

TEST(Claims, ASoundClaimIsRead) {
  const ClaimsFile f = read_claims(JsonSource::parse(file(range()), "c.json"));
  ASSERT_EQ(f.claims.size(), 1U);
  EXPECT_EQ(f.claims[0].kind, ClaimKind::range);
  EXPECT_EQ(f.claims[0].low, 1);
  EXPECT_EQ(f.claims[0].values.at(0).terms.at(0).where.at("verifier"), "mac");
  EXPECT_EQ(expectation(f.claims[0]), "at least 1");
  ASSERT_NE(f.experiment("launch"), nullptr);
  EXPECT_EQ(f.experiment("other"), nullptr);
}

TEST(Claims, ProblemsHaveTheirPlace) {
  EXPECT_THAT(problem(file(range(R"("lwo": 1)"))),
              HasSubstr("c.json:7:93: /claims/0/lwo: unknown key; did you mean 'low'?"));
  EXPECT_THAT(problem(file(range() + ",\n" + range())),
              HasSubstr("c.json:8:8: /claims/1/id: 'C1' is used twice"));
}

TEST(Claims, ALimitIsNeeded) {
  EXPECT_THAT(problem(file(claim(R"("kind": "range", "values": [)" + std::string(kTotal) + "]"))),
              HasSubstr("nothing could break it"));
  EXPECT_THAT(problem(file(range(R"("low": 2, "high": 1)"))), HasSubstr("nothing lies between"));
}

TEST(Claims, ReasonsAreNeeded) {
  EXPECT_THAT(problem(file(R"({"id": "C1", "from": "Missive", "statement": "s", "source": "t",
                              "tier": "T1"})")),
              HasSubstr("key \"why\" is missing"));
}

TEST(Claims, WhatIsNotJudgedHasNoLimits) {
  const std::string text = R"({"id": "C1", "from": "Missive", "statement": "s", "source": "t",
    "tier": "T2", "not_run": "no experiment"})";
  EXPECT_EQ(problem(file(text)), "no error");
  EXPECT_THAT(problem(file(text.substr(0, text.size() - 1) + R"(, "low": 3})")),
              HasSubstr("is never looked at"));
}

TEST(Claims, TermsAreChecked) {
  const auto with = [](const std::string& term) {
    return problem(file(claim(R"("kind": "range", "low": 1, "values": [{"of": [)" + term + "]}]")));
  };
  EXPECT_THAT(with(R"({"metric": "total"})"), HasSubstr("say in \"where\" which"));
  EXPECT_THAT(with(R"({"number": 1, "model": "any_slow"})"), HasSubstr("names 2 numbers"));
  EXPECT_THAT(with(R"({"count": true})"), HasSubstr("names 0 numbers"));
  EXPECT_THAT(with(R"({"model": "any_slw", "arguments": {"parts": 1}})"),
              HasSubstr("did you mean 'any_slow'?"));
}

TEST(Claims, OperationsTakeTheirNumberOfTerms) {
  EXPECT_THAT(problem(file(claim(R"("kind": "ratio", "low": 1, "values": [{"op": "ratio", "of": [)"
                                 R"({"metric": "a", "where": {"b": 1}}]}])"))),
              HasSubstr("\"ratio\" takes 2"));
}

TEST(Claims, KindsTakeTheirNumberOfValues) {
  const std::string values = R"("values": [)" + std::string(kTotal) + "]";
  EXPECT_THAT(problem(file(claim(R"("kind": "order", )" + values))), HasSubstr("two or more"));
  EXPECT_THAT(problem(file(claim(R"("kind": "equivalent", )" + values))), HasSubstr("takes two"));
  EXPECT_THAT(
      problem(file(claim(R"("kind": "trend", "low": 1, "x": [1, 0], )" + values))),
      ::testing::AllOf(HasSubstr("one for each of \"x\""), HasSubstr("x must be positive")));
  EXPECT_THAT(problem(file(claim(R"("kind": "exact", )" + values))), HasSubstr("or two"));
}

TEST(Claims, AnExperimentMustBeListedAndShipped) {
  EXPECT_THAT(problem(file(R"({"id": "C1", "from": "Missive", "statement": "s", "source": "t",
    "tier": "T1", "kind": "range", "experiment": "lanch", "decides": "measured", "why": "w",
    "variation": "v", "low": 1, "values": [)" +
                           std::string(kTotal) + "]}")),
              HasSubstr("'lanch' is not among /experiments; did you mean 'launch'?"));
  std::string text = file(range());
  text.replace(text.find("launch.json"), 11, "lunch.json");
  EXPECT_THAT(problem(text), HasSubstr("there is no experiments/lunch.json"));
}

TEST(Claims, NoMeasurementIsExact) {
  std::string text = file(range());
  text.replace(text.find("T1"), 2, "T0");
  EXPECT_THAT(problem(text), HasSubstr("T0 is for the model's own numbers"));
}

TEST(Claims, ALimitedProfileSaysWhatIsLimited) {
  std::string text = file(range());
  text.replace(text.find(R"({"minutes": 1})"), 14, R"({"minutes": 1, "set": ["/seed=2"]})");
  EXPECT_THAT(problem(text), HasSubstr("say in \"scaled\" what"));
}

// The shipped file.

TEST(ShippedClaims, AreSound) {
  const ClaimsFile f = load_claims();
  EXPECT_GE(f.claims.size(), 70U);
  EXPECT_EQ(f.sha256.size(), 64U);
}

TEST(ShippedClaims, SatisfyTheSchemaForAnIndependentValidatorToo) {
  constexpr const char* kScript =
      "import json,sys\n"
      "try:\n import jsonschema\n"
      "except ImportError: sys.exit(77)\n"
      "s=json.load(open(sys.argv[1]))\n"
      "jsonschema.Draft7Validator.check_schema(s)\n"
      "jsonschema.Draft7Validator(s).validate(json.load(open(sys.argv[2])))\n";
  if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "no /usr/bin/python3";
  const TemporaryFolder folder;
  const auto script = folder.write("check.py", kScript);
  const std::string dir = (source_dir() / "experiments").string();
  const int status = std::system(("/usr/bin/python3 '" + script.string() + "' '" + dir +
                                  "/schema/claims.schema.json' '" + dir + "/claims.json'")
                                     .c_str());
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "python3-jsonschema is not installed";
  EXPECT_EQ(status, 0);
}

TEST(ShippedClaims, BelongToExperimentsOfTheirNames) {
  for (const ClaimExperiment& e : load_claims().experiments)
    for (const auto& [profile, run] : e.profiles) {
      Overrides o;
      o.profile = run.profile;
      o.sets = run.sets;
      if (run.repetitions) o.repetitions = *run.repetitions;
      EXPECT_EQ(load_experiment(source_dir() / "experiments" / e.file, o).name, e.name)
          << e.id << ' ' << profile;
    }
}

TEST(ShippedClaims, CoverEveryCellOfTheSeedsTable) {
  const ClaimsFile f = load_claims();
  for (const std::string column : {"SFI: ", "MicroVM: ", "multiPIE: "})
    EXPECT_EQ(std::count_if(f.claims.begin(), f.claims.end(),
                            [&](const Claim& c) {
                              return c.statement.starts_with(column) &&
                                     c.source.find("Existing architectures") != std::string::npos;
                            }),
              6)
        << column;
}

TEST(ShippedClaims, CoverTheFiguresOfMissive) {
  const ClaimsFile f = load_claims();
  for (const char* figure : {"100 MiB", "390 ms", "29 ms", "13.4", "~100 ms", "64 MiB -> 1 MiB"})
    EXPECT_TRUE(std::any_of(f.claims.begin(), f.claims.end(), [&](const Claim& c) {
      return c.from == "Missive" && c.published.find(figure) != std::string::npos;
    })) << figure;
}

TEST(ShippedClaims, AQuickProfileTakesFiveMinutesAndAShortOneAnHour) {
  double kick = 0, brief = 0;
  for (const ClaimExperiment& e : load_claims().experiments) {
    kick += e.profiles.at("kick").minutes;
    brief += e.profiles.at("short").minutes;
  }
  EXPECT_LE(kick, 5);
  EXPECT_LE(brief, 60);
}

TEST(ClaimText, ThousandsAreNoPowersOfTen) {
  Claim claim;
  claim.unit = "x";
  EXPECT_EQ(claim_number(claim, 3149.6), "3150 x");
  EXPECT_EQ(claim_number(claim, 999.4), "999 x");
  EXPECT_EQ(claim_number(claim, 1.5), "1.5 x");
}

}  // namespace
}  // namespace missive::harness
