#include "harness/report/report.h"

#include <cstdlib>
#include <fstream>
#include <limits>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/context.h"
#include "harness/output_dir.h"
#include "harness/report/html.h"
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
  EXPECT_THAT(page, AllOf(HasSubstr("What dominates a cold launch?"), HasSubstr("boot: 91 %"),
                          HasSubstr("How far is the model off?"), HasSubstr("5.0 %"),
                          HasSubstr("How long is a &lt;launch&gt;?")));
  EXPECT_THAT(page,
              AllOf(HasSubstr("id=\"waterfall-cold\""), HasSubstr("id=\"scatter\""),
                    HasSubstr("id=\"errors\""), HasSubstr("id=\"distribution-0\""),
                    HasSubstr("What these numbers do not say"), HasSubstr("sha256_tree.byte_s"),
                    HasSubstr("drawn by this"), HasSubstr("BSD-3-Clause: a &amp; b")));
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
