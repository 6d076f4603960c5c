#include "harness/experiment.h"

#include <cstdio>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/isolation_experiment.h"
#include "harness/schema.h"
#include "harness/test_support.h"
#include "real/domains/domain.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

const bool kDataReady = (use_source_data(), true);

constexpr const char* kHead =
    "{\n  \"format\": \"missive-sim/experiment/1\",\n  \"name\": \"t\",\n  \"kind\": \"launch\"";

// `body` starts in line 5 of the text.
Experiment load(const std::string& body, const Overrides& overrides = {}) {
  const std::string text = kHead + (body.empty() ? "" : ",\n" + body) + "\n}\n";
  return make_experiment(JsonSource::parse(text, "t.json"), overrides);
}

std::string problem(const std::string& body, const Overrides& overrides = {}) {
  try {
    load(body, overrides);
  } catch (const InputErrors& e) {
    return e.what();
  }
  return "no error";
}

Overrides set(std::vector<std::string> sets) {
  Overrides overrides;
  overrides.sets = std::move(sets);
  return overrides;
}

TEST(Experiment, DefaultsComeFromTheSchema) {
  const Experiment e = load("");
  ASSERT_EQ(e.points.size(), 1U);
  EXPECT_EQ(e.points[0].application, "gnumeric");
  EXPECT_EQ(e.points[0].verifier, "mac");
  EXPECT_EQ(e.points[0].block_size, Bytes{65536});
  EXPECT_EQ(e.points[0].origin_rtt, Picos{20'000'000'000});
  EXPECT_DOUBLE_EQ(e.points[0].origin_bandwidth.bytes_per_second, 6.25e6);
  EXPECT_EQ(e.repetitions, 10);
}

TEST(Experiment, TheEffectiveFileIsCompleteAndMeansTheSame) {
  const Experiment e = load("\"sweep\": {\"/temperature\": [\"cold\", \"hot\"]}");
  for (const std::string& pointer : experiment_schema("launch").pointers(false))
    if (pointer != "/$schema" && !pointer.starts_with("/profiles")) {
      EXPECT_TRUE(e.effective.contains(Json::json_pointer(pointer))) << pointer;
    }
  const Experiment again = make_experiment(JsonSource::parse(e.effective.dump(2), "again.json"));
  EXPECT_EQ(again.effective, e.effective);
  EXPECT_EQ(again.points[1].id, e.points[1].id);
}

TEST(Experiment, AnUnknownKeyIsReportedWithItsPlaceAndASuggestion) {
  EXPECT_EQ(problem("  \"repetitons\": 3"),
            "t.json:5:3: /repetitons: unknown key; did you mean 'repetitions'?");
  EXPECT_THAT(problem("  \"image\": {\"blocksize\": \"64KiB\"}"),
              HasSubstr("t.json:5:13: /image/blocksize: unknown key; did you mean 'block_size'?"));
}

TEST(Experiment, AllProblemsAreReportedAtOnceInOrder) {
  const std::string text = problem(
      "  \"verifier\": \"sha265\",\n  \"seed\": \"x\",\n  \"repetitions\": 0,\n"
      "  \"image\": {\"degree\": 1.5},\n  \"deadlin\": \"30s\"");
  EXPECT_THAT(text, HasSubstr("t.json:5:15: /verifier: \"sha265\" is not one of \"sha256\", "
                              "\"mac\"; did you mean 'sha256'?\n"
                              "t.json:6:11: /seed: is a string; it must be an integer\n"
                              "t.json:7:18: /repetitions: 0 is too small; at least 1\n"
                              "t.json:8:23: /image/degree: is a number; it must be an integer\n"
                              "t.json:9:3: /deadlin: unknown key; did you mean 'deadline'?"));
}

TEST(Experiment, AMissingKeyIsNamedWithWhatToAdd) {
  try {
    make_experiment(JsonSource::parse("{\"name\": \"x\"}", "m.json"));
    FAIL();
  } catch (const InputErrors& e) {
    EXPECT_THAT(e.what(), HasSubstr("add \"format\": \"missive-sim/experiment/1\""));
    EXPECT_THAT(e.what(), HasSubstr("add \"kind\": \"launch\""));
  }
}

TEST(Experiment, ADocumentThatIsNoObjectIsRefused) {
  EXPECT_THROW(make_experiment(JsonSource::parse("[1]", "a.json")), InputErrors);
  EXPECT_THROW(make_experiment(JsonSource::parse("7", "a.json")), InputErrors);
}

TEST(Experiment, ANewerFormatIsRefusedByName) {
  try {
    make_experiment(JsonSource::parse(
        R"({"format": "missive-sim/experiment/9", "name": "x", "kind": "launch"})", "n.json"));
    FAIL();
  } catch (const InputErrors& e) {
    EXPECT_THAT(e.what(), HasSubstr("n.json:1:12: /format: \"missive-sim/experiment/9\" is not "
                                    "known here"));
  }
}

TEST(Experiment, QuantitiesNeedUnitsAndRanges) {
  EXPECT_THAT(problem("\"origin_link\": {\"rtt\": 20}"), HasSubstr("has no unit"));
  EXPECT_THAT(problem("\"origin_link\": {\"rtt\": \"20\"}"), HasSubstr("units ps, ns, us, ms"));
  EXPECT_THAT(problem("\"origin_link\": {\"rtt\": \"11s\"}"), HasSubstr("too large; at most 10s"));
  EXPECT_THAT(problem("\"origin_link\": {\"bandwidth\": \"50ms\"}"), HasSubstr("is not a rate"));
  EXPECT_THAT(problem("\"image\": {\"block_size\": \"96KiB\"}"), HasSubstr("power of two"));
  EXPECT_THAT(problem("\"image\": {\"block_size\": \"2KiB\"}"), HasSubstr("at least 4KiB"));
}

TEST(Experiment, ALongStringForAPatternIsRefusedNotMatched) {
  EXPECT_THAT(problem("\"deadline\": \"" + std::string(1'000'000, '1') + "s\""),
              HasSubstr("longer than"));
}

TEST(Experiment, ANameMustBeFitForAFolder) {
  for (const char* name : {"../x", "A", "", "a\\u0000b", "a/b", "-x"}) try {
      make_experiment(JsonSource::parse(
          std::string(R"({"format": "missive-sim/experiment/1", "kind": "launch", "name": ")") +
              name + "\"}",
          "n.json"));
      ADD_FAILURE() << name;
    } catch (const InputErrors& e) {
      EXPECT_THAT(e.what(), HasSubstr("/name: "));
    }
}

TEST(Experiment, AnUnknownApplicationIsNamed) {
  EXPECT_THAT(problem("\"application\": \"gnumerik\""), HasSubstr("did you mean 'gnumeric'?"));
}

TEST(Experiment, ASweepIsAGridInTheOrderOfTheFile) {
  const Experiment e =
      load("\"sweep\": {\"/temperature\": [\"cold\", \"hot\"], \"/image/degree\": [2, 128]}");
  ASSERT_EQ(e.points.size(), 4U);
  EXPECT_EQ(e.points[0].label, "cold 2");
  EXPECT_EQ(e.points[1].label, "cold 128");
  EXPECT_EQ(e.points[2].label, "hot 2");
  EXPECT_EQ(e.points[1].degree, 128U);
  EXPECT_FALSE(e.points[0].baseline);
  EXPECT_TRUE(e.points[1].baseline);
}

TEST(Experiment, APointsIdDependsOnItsMeaningOnly) {
  const Experiment a = load("\"sweep\": {\"/temperature\": [\"cold\", \"hot\"]}");
  const Experiment b = load(
      "\"image\": {\"block_size\": \"65536B\"}, \"sweep\": "
      "{\"/temperature\": [\"warm\", \"hot\", \"cold\"]}");
  EXPECT_EQ(a.points[0].id, b.points[2].id);
  EXPECT_EQ(a.points[1].id, b.points[1].id);
  EXPECT_NE(a.points[0].id, a.points[1].id);
}

TEST(Experiment, ASweepWithNoPointsIsAnError) {
  EXPECT_THAT(problem("\"sweep\": {\"/temperature\": []}"),
              HasSubstr("t.json:5:27: /sweep/~1temperature: is empty; give at least one value"));
  EXPECT_THAT(problem("\"sweep\": {\"/temperature\": [\"hot\"]}, "
                      "\"exclude\": [{\"/temperature\": \"hot\"}]"),
              HasSubstr("/exclude: the sweep has no points: all of them are excluded"));
}

TEST(Experiment, ASweepPointerThatNamesNothingIsAnErrorWithASuggestion) {
  EXPECT_THAT(problem("\"sweep\": {\"/image/degre\": [2]}"), HasSubstr("'/image/degree'"));
  EXPECT_THAT(problem("\"sweep\": {\"temperature\": [\"hot\"]}"), HasSubstr("'/temperature'"));
  EXPECT_THAT(problem("\"sweep\": {\"/seed\": [1, 2]}"), HasSubstr("whole experiment"));
}

TEST(Experiment, EverySweepValueIsCheckedLikeTheFile) {
  EXPECT_THAT(problem("\"sweep\": {\"/verifier\": [\"sha256\", \"md5\"]}"),
              HasSubstr("t.json:5:35: /sweep/~1verifier/1: \"md5\" is not one of"));
  EXPECT_THAT(problem("\"sweep\": {\"/verifier\": [\"mac\", \"mac\"]}"), HasSubstr("given twice"));
  EXPECT_THAT(problem("\"sweep\": {\"/image/block_size\": [\"64KiB\", \"65536B\"]}"),
              HasSubstr("two of its points are the same"));
}

TEST(Experiment, ExclusionsThatExcludeNothingAreErrors) {
  const std::string sweep = "\"sweep\": {\"/temperature\": [\"cold\", \"hot\"]}, ";
  EXPECT_THAT(problem(sweep + "\"exclude\": [{\"/temperature\": \"warm\"}]"),
              HasSubstr("no such value"));
  EXPECT_THAT(problem(sweep + "\"exclude\": [{\"/verifier\": \"mac\"}]"), HasSubstr("not swept"));
  EXPECT_EQ(load(sweep + "\"exclude\": [{\"/temperature\": \"cold\"}]").points.size(), 1U);
}

TEST(Experiment, ASweepTooLargeToHoldIsRefusedBeforeItIsBuilt) {
  std::string values;
  for (int i = 2; i <= 256; ++i) values += (i > 2 ? "," : "") + std::to_string(i);
  std::string rtts, rates;
  for (int i = 1; i <= 200; ++i) {
    rtts += (i > 1 ? ",\"" : "\"") + std::to_string(i) + "ms\"";
    rates += (i > 1 ? ",\"" : "\"") + std::to_string(i) + "MB/s\"";
  }
  EXPECT_THAT(problem("\"sweep\": {\"/image/degree\": [" + values + "], \"/origin_link/rtt\": [" +
                      rtts + "], \"/origin_link/bandwidth\": [" + rates + "]}"),
              HasSubstr("more than 100000 points"));
}

TEST(Experiment, SetAppliesBeforeTheSweepAndFixesASweptKey) {
  const std::string body =
      "\"sweep\": {\"/temperature\": [\"cold\", \"hot\"], \"/verifier\": [\"sha256\", \"mac\"]}, "
      "\"exclude\": [{\"/temperature\": \"hot\", \"/verifier\": \"mac\"}, "
      "{\"/temperature\": \"cold\", \"/verifier\": \"sha256\"}]";
  const Experiment e = load(body, set({"/temperature=hot", "/image/degree=16"}));
  ASSERT_EQ(e.points.size(), 1U);
  EXPECT_EQ(e.points[0].label, "sha256");
  EXPECT_EQ(e.points[0].temperature, Temperature::hot);
  EXPECT_EQ(e.points[0].degree, 16U);
}

TEST(Experiment, ABadSetIsBlamedOnTheOption) {
  EXPECT_EQ(problem("", set({"/temprature=hot"})),
            "--set /temprature=hot: '/temprature' points to nothing; did you mean "
            "'/temperature'?");
  EXPECT_THAT(problem("", set({"temperature"})), HasSubstr("write POINTER=VALUE"));
  EXPECT_EQ(problem("", set({"/repetitions=many"})),
            "--set /repetitions=many: /repetitions: is a string; it must be an integer");
  EXPECT_THAT(problem("", set({"/exclude/999999999=1"})),
              HasSubstr("--set /exclude/999999999=1: /exclude: is an object"));
  EXPECT_THAT(problem("", set({"/repetitions=0", "/seed=-1"})),
              ::testing::AllOf(HasSubstr("too small"), HasSubstr("--set /seed=-1")));
}

TEST(Experiment, OverridesOfTheCommandLineWin) {
  Overrides overrides;
  overrides.repetitions = 4;
  overrides.seed = 99;
  overrides.backend = "sim";
  const Experiment e = load("\"repetitions\": 20, \"seed\": 5", overrides);
  EXPECT_EQ(e.repetitions, 4);
  EXPECT_EQ(e.native_repetitions, 4);
  EXPECT_EQ(e.seed, 99U);
  EXPECT_EQ(e.backend, Backend::sim);
}

TEST(Experiment, ProcessorsStayAwakeUnlessTheFileWantsIdleStates) {
  EXPECT_FALSE(load("").idle_states);
  EXPECT_TRUE(load("\"idle_states\": \"on\"").idle_states);
  EXPECT_THAT(problem("\"idle_states\": true"), HasSubstr("/idle_states"));
}

TEST(Experiment, ProfilesScaleRepetitionsOrPatchTheFile) {
  Overrides kick, brief;
  kick.profile = "kick";
  brief.profile = "short";
  EXPECT_EQ(load("\"repetitions\": 9", kick).repetitions, 2);
  EXPECT_EQ(load("\"repetitions\": 9", brief).repetitions, 3);
  const Experiment e = load(
      "\"repetitions\": 9, \"sweep\": {\"/image/degree\": [2, 4]}, "
      "\"profiles\": {\"kick\": {\"warmup\": 7, \"image\": {\"degree\": 8}}}",
      kick);
  EXPECT_EQ(e.warmup, 7);
  EXPECT_EQ(e.repetitions, 9);
  ASSERT_EQ(e.points.size(), 1U);
  EXPECT_EQ(e.points[0].degree, 8U);
}

TEST(Experiment, AMistakeInAProfileIsFoundEvenWhenItIsNotUsed) {
  EXPECT_EQ(problem("\"profiles\": {\"kick\": {\"warmupp\": 0}}"),
            "t.json:5:23: /profiles/kick/warmupp: unknown key; did you mean 'warmup'?");
}

TEST(Experiment, ShippedFilesAreValidAndWhatTheyPromise) {
  const Experiment launch = load_experiment(source_dir() / "experiments/launch.json");
  EXPECT_EQ(launch.points.size(), 24U);
  std::set<std::string> ids;
  int baselines = 0;
  for (const LaunchPoint& point : launch.points) {
    ids.insert(point.id);
    baselines += point.baseline ? 1 : 0;
    EXPECT_EQ(point.application, "gnumeric");
  }
  EXPECT_EQ(ids.size(), 24U);
  EXPECT_EQ(baselines, 3);  // one per temperature
  EXPECT_EQ(load_experiment(source_dir() / "experiments/launch-quick.json").points.size(), 4U);
  EXPECT_EQ(load_experiment(source_dir() / "experiments/delivery.json").points.size(), 24U);
  EXPECT_EQ(load_experiment(source_dir() / "experiments/delivery-share.json").points.size(), 60U);
}

TEST(Experiment, ALazyLaunchNeedsADeliveryThatCanGoWithoutTheWholeImage) {
  EXPECT_THAT(problem(R"("verification": "lazy", "delivery": "extract")"),
              ::testing::HasSubstr("cannot verify lazily"));
  EXPECT_EQ(load(R"("verification": "lazy")").points.front().verification, "lazy");
}

TEST(Experiment, TheSyntheticApplicationGoesByItsSizeAndShareOthersKnowNothingOfThem) {
  const Experiment e =
      load(R"("application": "reader", "sweep": {"/reader/size": ["10MiB", "20MiB"],
                               "/reader/touched": [0, 0.5]})");
  ASSERT_EQ(e.points.size(), 4U);
  EXPECT_EQ(e.points.back().application, "reader-20MiB-0.5");
  EXPECT_EQ(e.points.back().parameters["application"], "reader-20MiB-0.5");
  EXPECT_EQ(e.points.back().parameters["reader.size"], 20 * 1048576);
  EXPECT_EQ(e.points.back().parameters["reader.touched"], 0.5);
  EXPECT_FALSE(load("").points.front().parameters.contains("reader.size"));
  EXPECT_THAT(problem(R"("sweep": {"/reader/touched": [0, 0.5]})"),
              ::testing::HasSubstr("two of its points are the same"));
  EXPECT_THAT(problem(R"("application": "reader", "reader": {"size": "1500KiB"})"),
              ::testing::HasSubstr("t.json:5:45: /reader/size: reader: an image of 1536000 bytes"));
  const std::string swept = problem(
      R"("application": "reader", "sweep": {"/reader/size": ["1500KiB", "2MiB", "2500KiB"]})");
  EXPECT_THAT(swept, ::testing::HasSubstr("5:53: /sweep/~1reader~1size/0: reader: an image of"));
  EXPECT_THAT(swept, ::testing::HasSubstr("5:72: /sweep/~1reader~1size/2: reader: an image of"));
  EXPECT_THAT(problem(R"("reader": {"touched": 2})"), ::testing::HasSubstr("/reader/touched"));
}

TEST(Experiment, ShippedFilesSatisfyTheSchemaForAnIndependentValidatorToo) {
  constexpr const char* kScript =
      "import json,sys\n"
      "try:\n import jsonschema\n"
      "except ImportError: sys.exit(77)\n"
      "s=json.load(open(sys.argv[1]))\n"
      "jsonschema.Draft7Validator.check_schema(s)\n"
      "for f in sys.argv[2:]: jsonschema.Draft7Validator(s).validate(json.load(open(f)))\n";
  if (!std::filesystem::exists("/usr/bin/python3")) GTEST_SKIP() << "no /usr/bin/python3";
  const TemporaryFolder folder;
  const auto script = folder.write("check.py", kScript);
  const std::string dir = (source_dir() / "experiments").string();
  const auto effective = folder.write("effective.json", load("").effective.dump());
  const std::string command = "/usr/bin/python3 '" + script.string() + "' '" + dir +
                              "/schema/experiment.schema.json' '" + dir + "/launch.json' '" + dir +
                              "/launch-quick.json' '" + dir + "/delivery.json' '" + dir +
                              "/delivery-share.json' '" + effective.string() + "'";
  const int status = std::system(command.c_str());
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "python3-jsonschema is not installed";
  EXPECT_EQ(status, 0);
}

TEST(Schema, AKeywordThatIsNotHandledIsRefusedWhenLoaded) {
  EXPECT_THROW(Schema(Json::parse(R"({"properties": {"a": {"multipleOf": 2}}})"), "s"), RunError);
}

// ---- kind "isolation" ----

constexpr const char* kIsolationHead =
    "{\n  \"format\": \"missive-sim/experiment/1\",\n  \"name\": \"t\",\n  \"kind\": \"isolation\"";

Experiment load_isolation(const std::string& body, const Overrides& overrides = {}) {
  const std::string text = kIsolationHead + (body.empty() ? "" : ",\n" + body) + "\n}\n";
  return make_experiment(JsonSource::parse(text, "t.json"), overrides);
}

std::string isolation_problem(const std::string& body, const Overrides& overrides = {}) {
  try {
    load_isolation(body, overrides);
  } catch (const InputErrors& e) {
    return e.what();
  }
  return "no error";
}

TEST(IsolationExperiment, AllMechanismsAndCellsAreTheDefault) {
  const Experiment e = load_isolation("");
  EXPECT_EQ(isolation_settings(e).mechanisms.size(), domains::mechanisms().size());
  EXPECT_EQ(isolation_settings(e).cells.size(), std::size(kCells));
  EXPECT_EQ(isolation_settings(e).points.size(),
            isolation_settings(e).mechanisms.size() * std::size(kCells));
  EXPECT_TRUE(e.points.empty());
}

TEST(IsolationExperiment, PointsArePairsOfMechanismAndCellWithNamesOfTheirOwn) {
  const Experiment e = load_isolation(
      "\"mechanisms\": [\"call\", \"thread\"], \"cells\": [\"sharing\", \"switch\"],"
      "\"sizes\": [\"4KiB\"]");
  const auto& points = isolation_settings(e).points;
  ASSERT_EQ(points.size(), 4U);
  EXPECT_EQ(points[1].label, "call switch");
  EXPECT_EQ(points[2].parameters["sizes"][0], 4096);
  std::set<std::string> ids;
  for (const IsolationPoint& p : points) EXPECT_TRUE(ids.insert(p.id).second);
}

TEST(IsolationExperiment, TheEffectiveFileIsCompleteAndMeansTheSame) {
  const Experiment e = load_isolation("\"mechanisms\": [\"call\"]");
  const Experiment again = make_experiment(JsonSource::parse(e.effective.dump(2), "again.json"));
  EXPECT_EQ(again.effective, e.effective);
  EXPECT_EQ(isolation_settings(again).points[0].id, isolation_settings(e).points[0].id);
}

TEST(IsolationExperiment, AMisspeltMechanismCellOrKernelIsReportedWithASuggestion) {
  EXPECT_THAT(isolation_problem("  \"mechanisms\": [\"corutine\"]"),
              HasSubstr("t.json:5:18: /mechanisms/0: \"corutine\" is not one of"));
  EXPECT_THAT(isolation_problem("  \"mechanisms\": [\"corutine\"]"),
              HasSubstr("did you mean 'coroutine'?"));
  EXPECT_THAT(isolation_problem("  \"cells\": [\"swich\"]"), HasSubstr("did you mean 'switch'?"));
  EXPECT_THAT(isolation_problem("  \"kernels\": [\"hsh\"]"), HasSubstr("did you mean 'hash'?"));
}

TEST(IsolationExperiment, AWordForMechanismsIsAllOrNothing) {
  EXPECT_EQ(isolation_problem("  \"mechanisms\": \"all\""), "no error");
  EXPECT_THAT(isolation_problem("  \"mechanisms\": \"call\""), HasSubstr("does not have the form"));
  EXPECT_THAT(isolation_problem("  \"mechanisms\": 7"),
              HasSubstr("is an integer; it must be an array or a string"));
}

TEST(IsolationExperiment, KeysOfALaunchAreUnknownAndTheOtherWayRound) {
  EXPECT_THAT(isolation_problem("  \"verifier\": \"mac\""),
              HasSubstr("t.json:5:3: /verifier: unknown key"));
  EXPECT_THAT(isolation_problem("  \"sweep\": {}"), HasSubstr("/sweep: unknown key"));
  EXPECT_THAT(problem("  \"mechanisms\": \"all\""), HasSubstr("/mechanisms: unknown key"));
}

TEST(IsolationExperiment, AMisspeltKindIsReportedWithAllElseThatIsWrong) {
  try {
    make_experiment(JsonSource::parse(
        R"({"format": "missive-sim/experiment/1", "name": "x", "kind": "isolatoin", "cells": ["x"]})",
        "k.json"));
    FAIL();
  } catch (const InputErrors& e) {
    EXPECT_THAT(e.what(), HasSubstr("/kind: \"isolatoin\" is not one of \"launch\", \"isolation\", "
                                    "\"verification\", \"structure\", \"commonality\"; "
                                    "did you mean 'isolation'?"));
    EXPECT_THAT(e.what(), HasSubstr("/cells/0: \"x\" is not one of"));
  }
}

TEST(IsolationExperiment, SizesAreQuantitiesWithinBounds) {
  EXPECT_THAT(isolation_problem("\"sizes\": [64]"), HasSubstr("has no unit"));
  EXPECT_THAT(isolation_problem("\"sizes\": [\"128MiB\"]"), HasSubstr("too large; at most 64MiB"));
  EXPECT_THAT(isolation_problem("\"sizes\": []"), HasSubstr("is empty"));
  EXPECT_THAT(isolation_problem("\"domains\": 0"), HasSubstr("too small; at least 1"));
  EXPECT_THAT(isolation_problem("\"domains_of\": {\"pie\": 0}"),
              HasSubstr("too small; at least 1"));
  EXPECT_THAT(isolation_problem("\"domains_of\": {\"pei\": 5}"), HasSubstr("did you mean 'pie'?"));
}

TEST(IsolationExperiment, TheCommandLineChangesWhatItHasAndNotItsKind) {
  Overrides overrides;
  overrides.repetitions = 7;
  overrides.sets = {"/processes=2", "/mechanisms=[\"call\"]"};
  const Experiment e = load_isolation("", overrides);
  EXPECT_EQ(e.repetitions, 7);
  EXPECT_EQ(isolation_settings(e).processes, 2);
  EXPECT_EQ(isolation_settings(e).mechanisms, std::vector<std::string>{"call"});
  EXPECT_THAT(isolation_problem("", set({"/kind=launch"})), HasSubstr("another kind"));
  EXPECT_THAT(isolation_problem("", set({"/verifier=mac"})), HasSubstr("points to nothing"));
}

TEST(IsolationExperiment, AKickIsSmallerWithoutBeingTold) {
  Overrides kick;
  kick.profile = "kick";
  const Experiment e = load_isolation("\"processes\": 9, \"repetitions\": 9", kick);
  EXPECT_LE(isolation_settings(e).processes, 2);
  EXPECT_LE(e.repetitions, 2);
}

}  // namespace
}  // namespace missive::harness
