#include "harness/report/report.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/context.h"
#include "harness/key_help.h"
#include "harness/output_dir.h"
#include "harness/report/glossary.h"
#include "harness/report/html.h"
#include "harness/report/judging.h"
#include "harness/report/sections.h"
#include "harness/result_files.h"
#include "harness/result_fixture.h"
#include "harness/result_reader.h"

namespace missive::harness {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

const PlotLibrary kLibrary{"<script>/* drawn by this */</script>\n", "BSD-3-Clause: a & b"};

Result launch_result() {
  const Experiment e = small_experiment(R"(, "description": "How long is a <launch>?")");
  Result result = made_up_result(e);
  result.context = host_context();
  return result;
}

// What another kind of experiment leaves: no launches, cells and mechanisms instead.
Result isolation_like_result() {
  Result result;
  result.name = "cells";
  result.kind = "isolation";
  result.sha256 = std::string(64, 'a');
  result.context = host_context();
  result.effective = Json{{"tolerance", {{"most", 0.35}}}};
  int i = 0;
  for (const char* mechanism : {"call", "thread", "process"}) {
    PointResult point{fmt::format("0000000{}", ++i),
                      std::string(mechanism) + " switch",
                      Json{{"mechanism", mechanism}},
                      {},
                      {},
                      {}};
    const double time = 1e-8 * std::pow(100.0, i);
    Metric m{"switch.round_trip",
             "switch",
             "s",
             time * 1.1,
             Measured{time, time * 0.9, time * 1.2, 6, 0.04},
             0.1,
             true,
             "measured",
             {},
             {}};
    for (std::size_t n = 0; n < 6; ++n)
      result.observations.push_back({point.id, "real", "switch", m.name, "s", n,
                                     time * (0.95 + 0.02 * static_cast<double>(n))});
    point.metrics.push_back(std::move(m));
    result.points.push_back(std::move(point));
  }
  result.summary.compared = 3;
  result.summary.median_abs_relative_error = 0.1;
  result.summary.p90_abs_relative_error = 0.1;
  result.summary.within_tolerance = true;
  return result;
}

Metric& find_metric_of(PointResult& point, const std::string& name) {
  for (Metric& m : point.metrics)
    if (m.name == name) return m;
  throw std::logic_error(name);
}

Result hostile_result() {
  Result result = launch_result();
  const std::string bad =
      "</script><script>injected=1</script>\"'><img src=x onerror=injected=2>&\xff\x01";
  result.name = result.description = bad;
  result.points[0].label = bad;
  result.summary.failures = {bad};
  result.summary.not_available = {bad};
  result.context["cpu"] = bad;
  result.context["mechanisms"][bad] = bad;
  result.effective["description"] = bad;
  result.claims.push_back(Json{{"id", bad}, {"statement", bad}, {"verdict", bad}});
  ParameterSet parameters = made_up_parameters();
  Parameter p = parameters.at("sha256_tree.byte_s");
  p.source = bad;
  result.parameters_used.set(bad, p);
  return result;
}

TEST(Html, EscapesWhatIsMarkupAndWhatIsNoText) {
  EXPECT_EQ(html_escape("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
  EXPECT_EQ(html_escape("\xC2\xB5s \xE2\x80\x93"), "\xC2\xB5s \xE2\x80\x93");
  EXPECT_EQ(html_escape("\xff|\xC3|\x01|\xED\xA0\x80"),
            "\xEF\xBF\xBD|\xEF\xBF\xBD|?|\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Html, JsonInAScriptCannotEndIt) {
  const Json json{{"a", "</script><!--"}};
  const std::string text = json_for_script(json);
  EXPECT_THAT(text, Not(HasSubstr("<")));
  EXPECT_EQ(Json::parse(text), json);
}

TEST(Html, TemplatesEscapeUnlessToldNotTo) {
  EXPECT_EQ(fill_template("{{a}} {{{a}}}", {{"a", "<b>"}}), "&lt;b&gt; <b>");
  EXPECT_EQ(fill_template("{{a}}", {{"a", "{{b}}"}}), "{{b}}");
  EXPECT_THROW(fill_template("{{b}}", {{"a", ""}}), std::logic_error);
  EXPECT_THROW(fill_template("{{a", {{"a", ""}}), std::logic_error);
}

TEST(Answers, ColdComesFirstWithThePhaseThatTakesLongest) {
  const Result result = launch_result();
  const auto launches = shown_launches(result);
  ASSERT_EQ(launches.size(), 2U);
  EXPECT_EQ(launches[0].temperature, "cold");
  EXPECT_EQ(launches[0].longest_phase, "boot");
  EXPECT_TRUE(launches[0].measured);
  // The file's own verifier is mac, the second point: 20 ms of verifying, 200 ms of boot.
  EXPECT_EQ(launches[0].point->parameters["verifier"], "mac");
  EXPECT_NEAR(launches[0].longest_share, 200.0 / 220, 1e-9);
  EXPECT_EQ(launches[0].second_phase, "verify");
  EXPECT_NEAR(launches[0].second_share, 20.0 / 220, 1e-9);
}

// A hot launch assembles nothing: its zero lies on the scale, or Vega pushes the plot out of its
// frame.
TEST(Plots, ZerosAmongLikeValuesLieOnTheScale) {
  std::vector<DistributionRow> rows(3);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const double value = i == 2 ? 0 : 0.040 + 0.002 * static_cast<double>(i);
    rows[i].label = std::to_string(i);
    rows[i].values = {value};
    rows[i].median = rows[i].simulated = value;
    rows[i].n = 1;
  }
  const Json spec = distribution_plot(rows, "s");
  const Json scale = spec["layer"][0]["encoding"]["x"]["scale"];
  EXPECT_EQ(scale["type"], "linear");
  EXPECT_LE(scale["domain"][0].get<double>(), 0);
  EXPECT_GT(scale["domain"][1].get<double>(), 0.042);
}

// A share of 0.84 is 84 %, in the unit of the limits beside it.
TEST(Report, ClaimsAreShownInTheUnitOfTheirLimits) {
  Result result = launch_result();
  const Json measured{{"median", 0.84}, {"ci95", Json::array({0.81, 0.86})}};
  result.claims =
      Json::array({Json{{"id", "C1"}, {"unit", "%"}, {"kind", "range"}, {"measured", measured}},
                   Json{{"id", "C2"}, {"unit", "1"}, {"kind", "order"}, {"simulated", 1.31127}}});
  const std::string page = report_html(result, {});
  EXPECT_THAT(page, HasSubstr("84 % [81 %, 86 %]"));
  EXPECT_THAT(page, HasSubstr("1.31 x"));
  EXPECT_THAT(page, Not(HasSubstr("0.84 %")));
}

TEST(Answers, TheWaterfallLiesWhereTheRecordsLie) {
  const Result result = launch_result();
  const auto rows = waterfall(shown_launches(result)[0]);
  ASSERT_EQ(rows.size(), 4U);  // verify and boot in two worlds
  EXPECT_EQ(rows[3].phase, "boot");
  EXPECT_EQ(rows[3].world, "measured");
  EXPECT_NEAR(rows[3].start, 0.020, 1e-9);
  EXPECT_NEAR(rows[3].end, 0.220, 1e-9);
}

TEST(Answers, AResultWithoutRecordsHasItsPhasesEndToEnd) {
  Result result = launch_result();
  for (PointResult& point : result.points) {
    point.simulated_records.clear();
    point.measured_records.clear();
  }
  const auto rows = waterfall(shown_launches(result)[0]);
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_NEAR(rows[3].start, rows[1].end, 1e-12);
}

TEST(Answers, ManyObservationsBecomeQuantilesWithBothEnds) {
  std::vector<double> values;
  for (int i = 1'000'000; i > 0; --i) values.push_back(i);
  const auto few = thinned(values, 5);
  EXPECT_THAT(few, ::testing::ElementsAre(1, 250000.75, 500000.5, 750000.25, 1'000'000));
  EXPECT_THAT(thinned({3, 1, 2}, 5), ::testing::ElementsAre(1, 2, 3));
}

TEST(Report, SaysWhatDominatesAndHowFarOffTheModelIs) {
  const std::string page = report_html(launch_result(), kLibrary);
  EXPECT_THAT(page, AllOf(HasSubstr("What dominates a cold launch of python3?"),
                          HasSubstr("boot: 91 %"), HasSubstr("How far is the model off?"),
                          HasSubstr("5.0 %"), HasSubstr("How long is a &lt;launch&gt;?")));
  EXPECT_THAT(page,
              AllOf(HasSubstr("id=\"waterfall-cold\""), HasSubstr("id=\"scatter\""),
                    HasSubstr("id=\"errors\""), HasSubstr("id=\"distribution-0\""),
                    HasSubstr("What these numbers do not say"), HasSubstr("sha256_tree.byte_s"),
                    HasSubstr("drawn by this"), HasSubstr("BSD-3-Clause: a &amp; b")));
}

// What stands between each `open`...> and `close` of `text`.
std::vector<std::string> between(const std::string& text, const std::string& open,
                                 const std::string& close) {
  std::vector<std::string> found;
  for (std::size_t at = text.find(open); at != std::string::npos; at = text.find(open, at)) {
    const std::size_t start = text.find('>', at) + 1;
    at = text.find(close, start);
    found.push_back(text.substr(start, at - start));
  }
  return found;
}

// Cells of the rows of the first table after `from`.
std::vector<std::vector<std::string>> table_after(const std::string& page,
                                                  const std::string& from) {
  std::vector<std::vector<std::string>> rows;
  const std::string body = page.substr(page.find("<table", page.find(from)));
  for (const std::string& row : between(body.substr(0, body.find("</table>")), "<tr", "</tr>")) {
    const bool header = row.find("<td") == std::string::npos;
    rows.push_back(between(row, "<th", "</th>"));
    if (!header)
      for (std::string& cell : between(row, "<td", "</td>")) rows.back().push_back(std::move(cell));
  }
  return rows;
}

// With the boot's parts, and something between the phases: 100, 70, 20 of 200 ms.
Result result_with_boot_parts() {
  Result result = launch_result();
  for (PointResult& point : result.points) {
    Metric boot = *find_metric(point, "boot");
    const double total = find_metric(point, "total")->measured->median;
    for (Metric& m : point.metrics)
      if (m.name == "verify") m.measured->median = m.measured->low = total / 3;
    for (const auto& [name, share] :
         {std::pair{"boot.deliver", 0.25}, {"boot.application", 0.75}}) {
      Metric part = boot;
      part.name = name;
      part.simulated = *boot.simulated * share;
      part.measured->median = boot.measured->median * share;
      part.within_tolerance.reset();
      point.metrics.insert(point.metrics.end() - 1, part);
    }
    std::stable_sort(
        point.metrics.begin(), point.metrics.end(),
        [](const Metric& a, const Metric& b) { return (a.name == "total") < (b.name == "total"); });
  }
  return result;
}

TEST(Report, SharesOfTheTopPhasesAddUpAndPartsAreOfTheirPhase) {
  const Result result = result_with_boot_parts();
  const auto launch = shown_launches(result)[0];
  std::size_t parts = 0;
  for (const WaterfallRow& row : waterfall(launch)) {
    EXPECT_EQ(row.part, row.phase.starts_with("boot."));
    EXPECT_EQ(row.text.ends_with("% of boot)"), row.part) << row.text;
    parts += row.part ? 1 : 0;
  }
  EXPECT_EQ(parts, 4U);  // two in two worlds
  const auto rows = table_after(report_html(result, kLibrary), "id=\"waterfall-cold\"");
  ASSERT_EQ(rows[0][3], "share");
  for (const std::size_t column : {3U, 5U}) {
    double sum = 0;
    for (const auto& row : rows) {
      if (row[0].starts_with("of it: ")) {
        EXPECT_TRUE(row[column].ends_with(" % of boot"));
      }
      if (row[0] == "verify" || row[0] == "boot" || row[0] == "between them")
        sum += std::stod(row[column]);
    }
    EXPECT_NEAR(sum, 100, 1e-6);
  }
}

TEST(Report, EachNoiseFloorSaysWhose) {
  Result result = launch_result();
  for (PointResult& point : result.points)
    for (Metric& m : point.metrics)
      if (m.measured) m.measured->noise_floor = m.name == "total" ? 0.134 : 0.045;
  result.summary.total_noise_floor = 0.134;
  const std::string page = report_html(result, kLibrary);
  EXPECT_THAT(page, AllOf(HasSubstr("noise floor of whole launches: 13.4 %"),
                          HasSubstr("noise floor of phases: 4.5 %"),
                          HasSubstr("the noise floor of phases (4.5 %)")));
}

TEST(Report, SaysWhatIsJudgedAndWhyAMissFailsNothing) {
  Result result = launch_result();
  Metric& m = find_metric_of(result.points[0], "verify");
  ASSERT_TRUE(m.within_tolerance.has_value());
  m.within_tolerance = false;
  EXPECT_THAT(judged_in_words(result),
              AllOf(HasSubstr("8 phases that took longer than"), HasSubstr("4 whole launches"),
                    HasSubstr("1 of 12 lies outside"), HasSubstr("do not fail it by themselves"),
                    HasSubstr("phases: 5.0 % of 20.0 % allowed, kept"),
                    HasSubstr("whole launches: 5.0 % of 10.0 % allowed, kept")));
  EXPECT_THAT(decisive_errors(result), HasSubstr("5.0 % of a launch (10.0 % allowed)"));
  result.summary.median_abs_relative_error = 0.21;
  EXPECT_THAT(judged_in_words(result), HasSubstr("phases: 21.0 % of 20.0 % allowed, not kept"));
  m.note = "measured as too short to be judged, predicted as long";
  EXPECT_THAT(judged_in_words(result), HasSubstr("fails for 1 phase predicted as long"));
}

TEST(Report, OtherKindsOfTolerancesAreSaidToo) {
  Result result = isolation_like_result();
  result.effective["tolerance"]["median"] = 0.15;
  EXPECT_THAT(judged_in_words(result),
              AllOf(HasSubstr("Judged are 3 times"), HasSubstr("median error is at most 15.0 %"),
                    HasSubstr("None lies outside"), HasSubstr("nine in ten")));
  result.effective["tolerance"] = Json{{"statistical", 0.05}, {"share", 0.9}};
  EXPECT_THAT(judged_in_words(result), HasSubstr("90 % of them have to be within"));
  EXPECT_EQ(decisive_errors(result),
            "100 % of the statistical predictions are within 5.0 % (90 % have to be)");
  result.effective["tolerance"] = 0.05;
  EXPECT_THAT(judged_in_words(result), HasSubstr("3 expectations"));
}

TEST(Report, OnlyErrorsBeyondTheAxisAreSaidToStandAtTheEdge) {
  EXPECT_DOUBLE_EQ(error_reach({{"p", "boot", 3.0, {}, false}}, {}), kWidestError);
  EXPECT_NEAR(error_reach({{"p", "boot", 0.3, {}, true}}, {{"boot", 0.2}}), 0.33, 1e-12);
  Result result = launch_result();
  for (PointResult& point : result.points)
    for (Metric& m : point.metrics) m.baseline_relative_error.reset();
  EXPECT_THAT(report_html(result, kLibrary), Not(HasSubstr("At the edge stand")));
  find_metric_of(result.points[0], "boot").baseline_relative_error = 0.9;
  EXPECT_THAT(report_html(result, kLibrary),
              HasSubstr("errors beyond 24 %: 1 of &quot;bytes only&quot;"));
}

// Whoever changes what the schema says of a key changes the page.
TEST(Report, WordsOfTheExperimentFileAreTheSchemas) {
  const std::vector<Term> terms = glossary(launch_result());
  const auto meaning = [&](const std::string& word) -> std::string {
    for (const Term& term : terms)
      if (term.word == word) return term.meaning;
    return "missing";
  };
  EXPECT_EQ(meaning("temperature (cold, hot)"), find_keys("temperature")[0].description);
  EXPECT_EQ(meaning("verifier (sha256, mac)"), find_keys("verifier")[0].description);
  EXPECT_EQ(meaning("verify"), phase_in_words("verify"));
  EXPECT_EQ(meaning("fetch"), "missing");  // nothing was fetched in this result
  EXPECT_THAT(meaning("bytes only"), HasSubstr("straight line"));
  const std::string page = report_html(launch_result(), kLibrary);
  for (const Term& term : terms) EXPECT_THAT(page, HasSubstr(html_escape(term.meaning)));
}

TEST(Report, FiguresOfAClaimThatIsNotJudgedHereAreSaidToBeOfThisHost) {
  Result result = launch_result();
  result.claims = Json::array({Json{{"id", "C3"},
                                    {"unit", "s"},
                                    {"verdict", "not run here"},
                                    {"simulated", 0.0258},
                                    {"measured", Json{{"median", 0.0345}}}}});
  EXPECT_THAT(report_html(result, {}), AllOf(HasSubstr("here: 25.8 ms"), HasSubstr("here: 34.5 ms"),
                                             HasSubstr("of this run, on this host")));
}

TEST(Report, AMissOnABusyHostIsSaidToBeOne) {
  Result result = launch_result();
  result.context["load"] = Json::array({3.0, 1.0, 1.0});
  result.context["cores"] = 2;
  const auto before_sections = [&] {
    const std::string page = report_html(result, kLibrary);
    return page.substr(0, page.find("<main"));
  };
  EXPECT_THAT(before_sections(), Not(HasSubstr("Other work ran")));
  result.summary.within_tolerance = false;
  EXPECT_THAT(before_sections(), HasSubstr("load 3.0 on 2 cores"));
  for (PointResult& point : result.points)  // counts do not mind
    for (Metric& m : point.metrics) m.unit = "B";
  EXPECT_THAT(report_html(result, kLibrary),
              AllOf(Not(HasSubstr("Other work ran")), HasSubstr("Nothing here was timed")));
}

TEST(Report, FilesSufficeToMakeTheSamePageAgain) {
  Result result = launch_result();
  const TemporaryFolder dir;
  write_files(result, OutputDir(dir.path() / "out"));
  Result read = read_result(dir.path() / "out");
  read_observations(dir.path() / "out", read);
  EXPECT_EQ(report_html(read, kLibrary), report_html(result, kLibrary));
}

TEST(Report, WithoutTheLibraryItHasOpenTablesAndSaysSo) {
  const std::string page = report_html(launch_result(), {});
  EXPECT_THAT(page, AllOf(Not(HasSubstr("data-plot>")), HasSubstr("<details open>"),
                          HasSubstr("tables and no plots")));
}

TEST(Report, ForeignTextStaysText) {
  const std::string page = report_html(hostile_result(), kLibrary);
  EXPECT_THAT(page, AllOf(Not(HasSubstr("<script>injected")), Not(HasSubstr("<img src=x")),
                          HasSubstr("&lt;img src=x")));
}

TEST(Report, NamesNoOtherPlaceToLoadFrom) {
  const std::string page = report_html(launch_result(), kLibrary);
  EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  EXPECT_THAT(page, Not(ContainsRegex("(src|href)=\"[a-z]+:")));
}

TEST(Report, EveryKindOfResultHasAPage) {
  EXPECT_THAT(report_html(isolation_like_result(), kLibrary),
              AllOf(HasSubstr("How far apart are the points?"), HasSubstr("call switch"),
                    HasSubstr("10.0 %"), Not(HasSubstr("id=\"waterfall"))));
  Result empty;
  empty.name = "nothing";
  EXPECT_THAT(report_html(empty, kLibrary), AllOf(HasSubstr("not judged"), HasSubstr("not known")));
}

TEST(Report, SimulationAloneClaimsNoAccuracy) {
  Result result = launch_result();
  for (PointResult& point : result.points) {
    for (Metric& m : point.metrics) {
      m.measured.reset();
      m.relative_error.reset();
      m.within_tolerance.reset();
    }
    point.measured_records.clear();
  }
  result.summary = {};
  result.observations.clear();
  const std::string page = report_html(result, kLibrary);
  EXPECT_THAT(page, AllOf(HasSubstr("Nothing here was measured"), HasSubstr("simulated: "),
                          Not(HasSubstr("id=\"scatter\""))));
}

TEST(Report, StaysSmallWhateverTheSizeOfTheResult) {
  Result result = isolation_like_result();
  const PointResult one = result.points[0];
  const std::vector<ObservationRow> rows = result.observations;
  for (int i = 0; i < 5000; ++i) {
    PointResult point = one;
    point.id = fmt::format("{:08x}", i + 100);
    point.label = fmt::format("point {}", i);
    result.points.push_back(point);
    for (int n = 0; n < 20; ++n) {
      ObservationRow row = rows[0];
      row.point = point.id;
      row.value *= 1 + n * 0.001;
      result.observations.push_back(row);
    }
  }
  EXPECT_LT(report_html(result, kLibrary).size(), 4U << 20U);
}

// Pages for the browser (page_test.mjs), where CMakeLists.txt asks for them.
TEST(Report, PagesForTheBrowser) {
  const char* folder = std::getenv("MISSIVE_REPORT_PAGES");
  if (folder == nullptr) GTEST_SKIP() << "nobody asked for pages";
  const OutputDir out{folder};
  out.write("launch.html", report_html(launch_result()));
  out.write("isolation.html", report_html(isolation_like_result()));
  out.write("hostile.html", report_html(hostile_result()));
}

}  // namespace
}  // namespace missive::harness
