#include "harness/result_reader.h"

#include <chrono>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/output_dir.h"
#include "harness/result_files.h"
#include "harness/result_fixture.h"

namespace missive::harness {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const InputError& e) {
    return e.what();
  }
  return "no error";
}

std::string error_of_json(const Json& document) {
  return error_of([&] { result_from_json(document, "r.json"); });
}

std::string error_of_csv(const std::string& csv) {
  return error_of([&] {
    Result result;
    parse_observations(csv, "o.csv", result);
  });
}

TEST(ResultReader, WrittenAgainItIsTheSameFile) {
  const Result result = made_up_result(small_experiment());
  const Json json = to_json(result);
  Result read = result_from_json(Json::parse(json.dump()), "r.json");
  EXPECT_EQ(to_json(read).dump(), json.dump());
  const std::string csv = observations_csv(result);
  parse_observations(csv, "o.csv", read);
  EXPECT_EQ(observations_csv(read), csv);
  EXPECT_EQ(trace_json(read), trace_json(result));
}

TEST(ResultReader, IntervalsOfDrawnPredictionsAreReadBack) {
  Result result = made_up_result(small_experiment());
  result.points[0].metrics[0].simulated_interval = {0.5, 1.5};
  Json json = to_json(result);
  const Result read = result_from_json(json, "r.json");
  EXPECT_EQ(*read.points[0].metrics[0].simulated_interval, std::pair(0.5, 1.5));
  EXPECT_FALSE(read.points[0].metrics[1].simulated_interval.has_value());
  json["points"][0]["metrics"][0]["simulated_interval"] = Json::array({1});
  EXPECT_THAT(error_of_json(json), HasSubstr("/simulated_interval: is not a pair of numbers"));
}

TEST(ResultReader, KnowsTheExperimentAgain) {
  const Experiment e = small_experiment();
  const Experiment again = experiment_of(made_up_result(e), "r.json");
  ASSERT_EQ(again.grid.size(), e.grid.size());
  for (std::size_t i = 0; i < e.grid.size(); ++i) EXPECT_EQ(again.grid[i].id, e.grid[i].id);
  EXPECT_EQ(again.sha256, e.sha256);
  EXPECT_EQ(again.effective, e.effective);
}

TEST(ResultReader, SaysWhichSchemaItReadsAndWhatToDo) {
  Json json = to_json(made_up_result(small_experiment()));
  json["schema"] = "missive-sim/result/2";
  EXPECT_THAT(error_of_json(json), AllOf(HasSubstr("missive-sim/result/2"), HasSubstr("newer")));
  json["schema"] = "missive-sim/result/0";
  EXPECT_THAT(error_of_json(json),
              AllOf(HasSubstr("older"), HasSubstr("run the experiment again")));
  json["schema"] = "something/else";
  EXPECT_THAT(error_of_json(json), HasSubstr("no result of missive-sim"));
  EXPECT_THAT(error_of_json(Json::array()), HasSubstr("no result of missive-sim"));
}

TEST(ResultReader, NamesTheKeyThatIsWrong) {
  const Json good = to_json(made_up_result(small_experiment()));
  Json json = good;
  json["points"][1]["metrics"][0].erase("unit");
  EXPECT_THAT(error_of_json(json), HasSubstr("r.json: /points/1/metrics/0/unit: is missing"));
  json = good;
  json["points"][0]["metrics"][0]["simulated"] = "fast";
  EXPECT_THAT(error_of_json(json), HasSubstr("/points/0/metrics/0/simulated: is not a number"));
  json = good;
  json["points"][0]["timeline"]["simulated"][0]["phase"] = "nap";
  EXPECT_THAT(error_of_json(json), HasSubstr("/points/0/timeline/simulated/0/phase"));
  json = good;
  json["points"] = 7;
  EXPECT_THAT(error_of_json(json), HasSubstr("/points: is not a list"));
}

TEST(ResultReader, ResultsOfBeforeTheConfigurationWasRecordedCanBeRead) {
  Json json = to_json(made_up_result(small_experiment()));
  for (const char* key : {"effective", "kind", "description"}) json["experiment"].erase(key);
  for (Json& point : json["points"]) point.erase("timeline");
  const Result read = result_from_json(json, "r.json");
  EXPECT_TRUE(read.effective.is_null());
  EXPECT_THAT(error_of([&] { experiment_of(read, "r.json"); }), HasSubstr("older missive-sim"));
}

TEST(ResultReader, EveryTruncationIsOneClearError) {
  const TemporaryFolder folder;
  const std::string text = to_json(made_up_result(small_experiment())).dump(1);
  for (std::size_t length = 0; length + 1 < text.size(); length += 997) {
    write_atomically(folder.path() / "result.json", text.substr(0, length));
    const std::string error = error_of([&] { read_result(folder.path()); });
    EXPECT_THAT(error, AllOf(HasSubstr("result.json: is not whole JSON"), HasSubstr("cut short")));
    EXPECT_EQ(error.find('\n'), std::string::npos);
  }
  EXPECT_THAT(error_of([&] { read_result(folder.path() / "none"); }), HasSubstr("cannot be read"));
}

TEST(Observations, BadLinesAreNamed) {
  const std::string header = std::string(kObservationsHeader) + "\n";
  const std::string good = "e,p,real,boot,boot,s,0,1.5\n";
  EXPECT_EQ(error_of_csv(header + good), "no error");
  EXPECT_THAT(error_of_csv("a,b\n"), HasSubstr("o.csv:1: the columns are not"));
  EXPECT_THAT(error_of_csv(""), HasSubstr("the columns are not"));
  EXPECT_THAT(error_of_csv(header + good + "e,p,real\n"), HasSubstr("o.csv:3: has 3 fields"));
  EXPECT_THAT(error_of_csv(header + good + "e,p,real,boot,boot,s,0,1."), HasSubstr("cut short"));
  EXPECT_THAT(error_of_csv(header + "e,p,real,boot,boot,s,0,1x\n"), HasSubstr("'1x'"));
  EXPECT_THAT(error_of_csv(header + "e,p,real,boot,boot,s,-1,1\n"), HasSubstr("'-1'"));
  EXPECT_THAT(error_of_csv(header + "e,\"p,real\n"), HasSubstr("without end"));
  EXPECT_THAT(error_of_csv(header + "\"e\"x,p,real,boot,boot,s,0,1\n"),
              HasSubstr("after a quoted"));
}

TEST(Observations, QuotedFieldsComeBack) {
  Result result = made_up_result(small_experiment());
  result.observations = {{"a,\"b\"\nc", "real", "", "m", "s", 3, 0.1}};
  Result read;
  parse_observations(observations_csv(result), "o.csv", read);
  ASSERT_EQ(read.observations.size(), 1U);
  EXPECT_EQ(read.observations[0].point, "a,\"b\"\nc");
  EXPECT_EQ(read.observations[0].repetition, 3U);
}

TEST(Observations, AnyBytesAreReadOrRefused) {
  std::uint64_t state = 1;
  const std::string alphabet = "a,\"\n\r1.";
  for (int round = 0; round < 20000; ++round) {
    std::string csv = round % 2 ? std::string(kObservationsHeader) + "\n" : "";
    for (int i = 0; i < 24; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      csv += alphabet[(state >> 33U) % alphabet.size()];
    }
    Result result;
    try {
      parse_observations(csv, "o.csv", result);
    } catch (const InputError&) {
    }
  }
}

}  // namespace
}  // namespace missive::harness
