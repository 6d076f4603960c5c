#include "harness/result_files.h"

#include <cmath>
#include <limits>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/stat.h>
#include <unistd.h>

#include "harness/context.h"
#include "harness/result_fixture.h"
#include "harness/result_table.h"
#include "harness/table.h"

namespace missive::harness {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<std::string> keys(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [key, value] : object.items()) names.push_back(key);
  return names;
}

TEST(ResultJson, HasEveryKeyOfTheContract) {
  Result result = made_up_result(small_experiment());
  result.context = host_context();
  const Json json = to_json(result);
  EXPECT_THAT(keys(json), ElementsAre("schema", "experiment", "context", "points", "summary",
                                      "claims", "parameters_used"));
  EXPECT_EQ(json["schema"], "missive-sim/result/1");
  EXPECT_THAT(keys(json["experiment"]),
              ElementsAre("name", "sha256", "seed", "kind", "description", "effective"));
  EXPECT_EQ(json["experiment"]["sha256"].get<std::string>().size(), 64U);
  for (const char* key : {"cpu", "cores", "kernel", "mitigations", "compiler", "build_type",
                          "commit", "date", "load", "mechanisms"})
    EXPECT_TRUE(json["context"].contains(key)) << key;
  const Json& metric = json["points"][0]["metrics"][0];
  for (const char* key : {"name", "phase", "unit", "simulated", "measured", "relative_error",
                          "within_tolerance", "provenance"})
    EXPECT_TRUE(metric.contains(key)) << key;
  EXPECT_THAT(keys(metric["measured"]), ElementsAre("median", "ci95", "n", "noise_floor"));
  EXPECT_EQ(metric["measured"]["ci95"].size(), 2U);
  for (const char* key :
       {"compared", "amounts_equal", "median_abs_relative_error", "p90_abs_relative_error",
        "max_abs_relative_error", "baseline_median_abs_relative_error", "not_available"})
    EXPECT_TRUE(json["summary"].contains(key)) << key;
  EXPECT_EQ(json["summary"]["amounts_equal"], true);
  EXPECT_TRUE(json["claims"].is_array());
}

TEST(ResultJson, AWorldThatDidNotAnswerIsNullNotAbsent) {
  Result result = empty_result(small_experiment());
  result.points[0].metrics.push_back({"verify", "verify", "s", {}, {}, {}, {}, {}, {}, {}});
  const Json metric = to_json(result)["points"][0]["metrics"][0];
  EXPECT_TRUE(metric.at("simulated").is_null());
  EXPECT_TRUE(metric.at("measured").is_null());
  EXPECT_TRUE(metric.at("within_tolerance").is_null());
}

TEST(ResultJson, DoublesRoundTripAndNonFiniteOnesAreNull) {
  Result result = empty_result(small_experiment());
  const double third = 1.0 / 3;
  result.points[0].metrics.push_back({"a", "total", "s", third, {}, {}, {}, {}, {}, {}});
  result.points[0].metrics.push_back(
      {"b", "total", "s", std::numeric_limits<double>::infinity(), {}, {}, {}, {}, {}, {}});
  const Json back = Json::parse(to_json(result).dump());
  EXPECT_EQ(back["points"][0]["metrics"][0]["simulated"].get<double>(), third);
  EXPECT_TRUE(back["points"][0]["metrics"][1]["simulated"].is_null());
}

TEST(Context, NamesNeitherHostNorUser) {
  const std::string text = host_context().dump();
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  if (std::string(host).size() > 4) {
    EXPECT_THAT(text, Not(HasSubstr(host)));
  }
  EXPECT_THAT(text, Not(HasSubstr("/home/")));
  EXPECT_THAT(text, Not(HasSubstr(source_dir().string())));
}

TEST(Context, MechanismsAreTrueOrTheReasonWhyNot) {
  const Json all =
      mechanisms({{"delivery", "fuse", true, "works"}, {"delivery", "extract", false, "no tmpfs"}});
  EXPECT_EQ(all["fuse"], true);
  EXPECT_EQ(all["extract"], "no tmpfs");
}

TEST(ObservationsCsv, IsTidyWithTheHeaderOfTheContract) {
  const Result result = made_up_result(small_experiment());
  const std::string csv = observations_csv(result);
  EXPECT_EQ(csv.substr(0, csv.find('\n')),
            "experiment,point,backend,phase,metric,unit,repetition,value");
  EXPECT_THAT(csv, HasSubstr("t," + result.points[0].id + ",real,verify,verify,s,1,0.01\n"));
  EXPECT_THAT(csv, HasSubstr("t," + result.points[0].id + ",sim,total,bytes_hashed,B,0,1e+06\n"));
  for (std::size_t at = 0; at < csv.size();) {
    const auto end = csv.find('\n', at);
    const std::string line = csv.substr(at, end - at);
    EXPECT_EQ(std::count(line.begin(), line.end(), ','), 7) << line;
    at = end + 1;
  }
}

TEST(ObservationsCsv, QuotesWhatNeedsQuotes) {
  Result result;
  result.name = "a,\"b\"";
  result.observations.push_back({"p", "sim", "total", "total", "s", 0, 0.1});
  EXPECT_THAT(observations_csv(result), HasSubstr("\"a,\"\"b\"\"\",p,sim"));
}

TEST(TraceJson, ShowsBothWorldsAsProcessesWithNamedThreads) {
  const Result result = made_up_result(small_experiment());
  const Json trace = Json::parse(trace_json(result));
  std::vector<std::string> processes, threads;
  std::size_t spans = 0;
  for (const Json& event : trace["traceEvents"]) {
    if (event["name"] == "process_name") processes.push_back(event["args"]["name"]);
    if (event["name"] == "thread_name") threads.push_back(event["args"]["name"]);
    if (event["ph"] != "X") continue;
    ++spans;
    EXPECT_GE(event["dur"].get<double>(), 0);
  }
  EXPECT_THAT(processes, ElementsAre("simulated", "measured"));
  EXPECT_THAT(threads, ::testing::Contains("cold sha256 / launcher"));
  EXPECT_EQ(threads.size(), 16U);  // 2 worlds, 4 points, 2 places
  EXPECT_EQ(spans, 16U);
}

// What Perfetto asks of complete events: on one track they nest or follow each other.
void expect_nested(const Json& trace) {
  std::map<std::pair<int, int>, std::vector<std::pair<double, double>>> tracks;
  for (const Json& event : trace["traceEvents"]) {
    ASSERT_THAT(event["ph"].get<std::string>(), ::testing::AnyOf("X", "M"));
    if (event["ph"] != "X") continue;
    const double start = event["ts"], length = event["dur"];
    ASSERT_GE(length, 0);
    auto& open = tracks[{event["pid"], event["tid"]}];
    while (!open.empty() && open.back().second <= start) open.pop_back();
    if (!open.empty()) {
      EXPECT_GE(start, open.back().first);
      EXPECT_LE(start + length, open.back().second + 1e-6);
    }
    open.emplace_back(start, start + length);
  }
}

// The Trace Event Format as far as it is used ("Trace Event Format", Google, sections "JSON Object
// Format", "Complete Events" and "Metadata Events"), and what Perfetto's importer asks for.
TEST(TraceJson, KeepsToTheTraceEventFormat) {
  const Json trace = Json::parse(trace_json(made_up_result(small_experiment())));
  ASSERT_TRUE(trace.is_object());
  EXPECT_THAT(trace["displayTimeUnit"].get<std::string>(), ::testing::AnyOf("ms", "ns"));
  std::set<int> named_processes;
  std::set<std::pair<int, int>> named_threads, used_threads;
  std::map<std::pair<int, std::string>, double> starts;  // process, point
  for (const Json& event : trace["traceEvents"]) {
    ASSERT_TRUE(event["name"].is_string() && event["pid"].is_number_integer()) << event;
    if (event["ph"] == "M") {
      EXPECT_TRUE(event["args"].is_object() && event["args"].size() == 1) << event;
      if (event["name"] == "process_name") named_processes.insert(event["pid"].get<int>());
      if (event["name"] == "thread_name")
        named_threads.insert({event["pid"].get<int>(), event["tid"].get<int>()});
      continue;
    }
    EXPECT_EQ(event["ph"], "X");
    EXPECT_TRUE(event["cat"].is_string()) << event;
    EXPECT_TRUE(event["ts"].is_number() && event["ts"].get<double>() >= 0) << event;
    EXPECT_TRUE(event["dur"].is_number() && event["tid"].is_number_integer()) << event;
    EXPECT_TRUE(!event.contains("args") || event["args"].is_object()) << event;
    used_threads.insert({event["pid"].get<int>(), event["tid"].get<int>()});
    EXPECT_TRUE(named_processes.contains(event["pid"].get<int>())) << event;
    const auto [first, is_new] = starts.try_emplace(
        {event["pid"].get<int>(), event["args"]["point"].get<std::string>()}, event["ts"]);
    if (!is_new) first->second = std::min(first->second, event["ts"].get<double>());
  }
  EXPECT_EQ(starts.size(), 8U);  // four points in two worlds, on one axis: all from zero
  for (const auto& [launch, start] : starts) EXPECT_EQ(start, 0) << launch.second;
  EXPECT_EQ(named_threads, used_threads);
  expect_nested(trace);
}

TEST(TraceJson, StepsThatOverlapWithoutNestingGetTracksOfTheirOwn) {
  Result result = made_up_result(small_experiment());
  PointResult& point = result.points[0];
  point.simulated_records = {
      record("a", Phase::fetch, Place::cache, 0, 2), record("b", Phase::fetch, Place::cache, 1, 3),
      record("c", Phase::fetch, Place::cache, 1, 2), record("d", Phase::fetch, Place::cache, 3, 4),
      record("e", Phase::fetch, Place::launcher, 0, 4)};
  const Json trace = Json::parse(trace_json(result));
  expect_nested(trace);
  std::map<std::string, int> track;
  for (const Json& event : trace["traceEvents"])
    if (event["ph"] == "X" && event["pid"] == 1) track[event["name"]] = event["tid"];
  EXPECT_NE(track["a"], track["b"]);
  EXPECT_EQ(track["a"], track["c"]);
  EXPECT_EQ(track["a"], track["d"]);
  EXPECT_NE(track["a"], track["e"]);
}

TEST(TraceJson, IsBoundedAndSaysSo) {
  Result result = made_up_result(small_experiment());
  PointResult& point = result.points[0];
  point.simulated_records.assign(kMostTraceEvents + 1,
                                 record("a", Phase::fetch, Place::cache, 0, 1));
  const Json trace = Json::parse(trace_json(result));
  EXPECT_LE(trace["traceEvents"].size(), kMostTraceEvents);
  EXPECT_EQ(trace["otherData"].begin().value(), 1);
  EXPECT_GT(trace["traceEvents"].size(), 10U);  // the other points are there
}

TEST(OutputDir, FilesAppearWholeUnderTheirFinalNames) {
  const TemporaryFolder folder;
  const OutputDir out(folder.path() / "a/b");
  write_files(made_up_result(small_experiment()), out);
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(out.path()))
    names.push_back(entry.path().filename().string());
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("result.json", "observations.csv",
                                                     "trace.json", "report.html"));
  EXPECT_TRUE(Json::accept(read_text(out.path() / "result.json")));
}

TEST(OutputDir, AReadOnlyFolderIsFoundBeforeAnythingRuns) {
  if (::geteuid() == 0) {  // root may write anywhere but into a kernel file system
    EXPECT_THROW(OutputDir("/proc/self/out"), InputError);
    return;
  }
  const TemporaryFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  EXPECT_THROW(OutputDir(folder.path()), InputError);
  ::chmod(folder.path().c_str(), 0755);
}

TEST(OutputDir, AFailedWriteLeavesTheOldFileAndNoTemporaryOne) {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder.path() / "result.json/in-the-way");
  EXPECT_THROW(write_atomically(folder.path() / "result.json", "new"), RunError);
  EXPECT_TRUE(std::filesystem::exists(folder.path() / "result.json/in-the-way"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 1);
}

TEST(Table, AlignsByCharactersNotBytes) {
  Table table({"a", "b"});
  table.add({"\u00b5s", "1"});
  table.add({"xyz", "22"});
  EXPECT_EQ(table.text(), "a     b\n\u00b5s    1\nxyz  22\n");
}

TEST(ResultTable, FitsTheScreenAndShowsWhatMatters) {
  const Experiment e = small_experiment();
  const std::string text = result_table(made_up_result(e), e);
  EXPECT_THAT(text, HasSubstr("cost of the untrusted cache"));
  EXPECT_THAT(text, HasSubstr("native twin"));
  EXPECT_THAT(text, HasSubstr("within tolerance"));
  EXPECT_THAT(text, HasSubstr("simulated only"));
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    EXPECT_LE(width(text.substr(at, end - at)), 110U) << text.substr(at, end - at);
    at = end + 1;
  }
}

TEST(ResultTable, FitsTheScreenAlsoWithTheLongestValues) {
  use_source_data();
  const Experiment e = load_experiment(source_dir() / "experiments/launch.json");
  Result result = made_up_result(e, 9.5);
  for (PointResult& point : result.points)
    for (Metric& m : point.metrics) {
      if (m.name == "verify") m.name = "tag_lookup";
      if (m.measured) m.measured->low = -0.1234, m.measured->high = 0.5678;
    }
  const std::string text = result_table(result, e);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    EXPECT_LE(width(text.substr(at, end - at)), 110U) << text.substr(at, end - at);
    at = end + 1;
  }
}

TEST(ResultTable, OneScreenAndAHalfForTheMainJob) {
  use_source_data();
  const Experiment e = load_experiment(source_dir() / "experiments/launch.json");
  const std::string text = result_table(made_up_result(e), e);
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 75);
}

TEST(ResultTable, SaysThatAnApplicationsOwnStartWasCalibratedOnABusyHost) {
  const Experiment e = small_experiment();
  Result result = made_up_result(e);
  EXPECT_THAT(result_table(result, e), Not(HasSubstr("starts alone")));
  for (PointResult& point : result.points)
    for (Metric& m : point.metrics)
      if (m.name == kNativeTwin) m.simulated = 2 * m.measured->median;
  const std::string text = result_table(result, e);
  const std::size_t first = text.find("starts alone");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(text.find("starts alone", first + 1), std::string::npos) << "once an application";
}

TEST(ResultTable, FailuresMissingMechanismsAndDifferencesAreSaid) {
  const Experiment e = small_experiment();
  Result result = made_up_result(e, 0.9);
  result.summary.failures.push_back("cold: cache died");
  result.summary.not_available.push_back("fuse: no /dev/fuse");
  result.summary.interrupted = true;
  const std::string text = result_table(result, e);
  EXPECT_THAT(text, HasSubstr("cache died"));
  EXPECT_THAT(text, HasSubstr("no /dev/fuse"));
  EXPECT_THAT(text, HasSubstr("partial results"));
  EXPECT_THAT(text, HasSubstr("NOT within tolerance"));
}

TEST(SecondsText, HasThreeDigitsAndAUnit) {
  EXPECT_EQ(seconds_text(0.0123), "12.3 ms");
  EXPECT_EQ(seconds_text(-0.0005), "-500 us");
  EXPECT_EQ(seconds_text(1.5), "1.50 s");
  EXPECT_EQ(seconds_text(0.9999e-3), "1.00 ms");
  EXPECT_EQ(seconds_text({}), "-");
}

}  // namespace
}  // namespace missive::harness
