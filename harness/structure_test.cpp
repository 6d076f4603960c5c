// The kind "structure": what it asks for, and that models and real counts agree on small trees.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/experiment_kind.h"
#include "harness/report/kind_answer.h"
#include "harness/report/plots.h"
#include "harness/report/report.h"
#include "harness/schema.h"
#include "harness/structure_cells.h"
#include "harness/structure_compare.h"
#include "harness/structure_edits.h"
#include "harness/structure_run.h"
#include "harness/structure_summary.h"
#include "harness/structure_table.h"
#include "harness/test_support.h"
#include "real/zar/packing.h"
#include "real/zar/placement.h"
#include "real/zar/plan_counts.h"
#include "real/zar/test_tree.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

Experiment experiment(const std::string& body) {
  use_source_data();
  const std::string text =
      R"({"format": "missive-sim/experiment/1", "name": "t", "kind": "structure", )" + body + "}";
  return make_experiment(JsonSource::parse(text, "t.json"));
}

std::string error_of(const std::string& body) {
  try {
    experiment(body);
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

const Metric& metric(const PointResult& p, const std::string& name) {
  for (const Metric& m : p.metrics)
    if (m.name == name) return m;
  throw std::runtime_error("no metric " + name);
}

Result run(const std::string& body, const zar::TemporaryDirectory& out) {
  RunOptions options;
  options.out = out.path();
  return run_structure(experiment(body), options);
}

TEST(StructureExperiment, ThePointsAreTheGridOfAllDesigns) {
  const Experiment e = experiment(
      R"("images": ["list:xterm", "list:xterm>list:xterm~1"], "block_sizes": ["4KiB", "1MiB"],
         "packings": ["path", "off"], "degrees": [2, 128])");
  EXPECT_EQ(e.grid.size(), 16u);
  const auto& last = structure_settings(e).points.back();
  EXPECT_EQ(last.from, "list:xterm");
  EXPECT_EQ(last.to, "list:xterm~1");
  EXPECT_EQ(last.design.block_size, 1u << 20U);
}

TEST(StructureExperiment, ATreeThereIsNotIsNamedWithItsPlace) {
  const std::string said =
      error_of(R"("images": ["list:nothing", "abiword@potato", "list:xterm>nothing"])");
  EXPECT_THAT(said, HasSubstr("t.json:1:"));
  EXPECT_THAT(said, HasSubstr("/images/0: there is no list 'nothing'"));
  EXPECT_THAT(said, HasSubstr("/images/1: unknown suite 'potato'; known are bookworm"));
  EXPECT_THAT(said, HasSubstr("/images/2: 'nothing' is no tree"));
}

TEST(StructureExperiment, WrongDesignsAreRefusedByTheSchema) {
  EXPECT_THAT(error_of(R"("images": ["list:xterm"], "packings": ["gredy"])"), HasSubstr("greedy"));
  EXPECT_THAT(error_of(R"("images": ["list:xterm"], "degrees": [1])"), HasSubstr("/degrees/0"));
  EXPECT_THAT(error_of(R"("images": ["list:xterm"], "fit_images": ["list:xterm"])"),
              HasSubstr("/fit_images/0"));
  EXPECT_THAT(error_of(R"("images": ["list:xterm"], "fit_images": ["list:xterm>list:no"])"),
              HasSubstr("/fit_images/0: there is no list 'no'"));
  EXPECT_THAT(error_of(R"("question": "packing")"), HasSubstr("images"));
}

TEST(StructureExperiment, TheSchemaKnowsExactlyTheRegisteredChoices) {
  use_source_data();
  const auto in_schema = [](const std::string& axis) {
    const Json* items = experiment_schema("structure").find("/" + axis + "/0");
    return (*items)["enum"].get<std::vector<std::string>>();
  };
  using ::testing::UnorderedElementsAreArray;
  EXPECT_THAT(in_schema("packings"), UnorderedElementsAreArray(zar::names_of(zar::packings())));
  EXPECT_THAT(in_schema("placements"), UnorderedElementsAreArray(zar::names_of(zar::placements())));
  EXPECT_THAT(in_schema("units"), UnorderedElementsAreArray(zar::names_of(zar::unit_choices())));
}

TEST(StructureExperiment, APartialProofIsCountedNodeByNode) {
  // Eight leaves, degree two: leaf 0 needs 1, (2 3), (4 .. 7); with leaf 1 only the latter two.
  EXPECT_EQ(zar::partial_proof_digests({0}, 8, 2), 3u);
  EXPECT_EQ(zar::partial_proof_digests({0, 1}, 8, 2), 2u);
  EXPECT_EQ(zar::partial_proof_digests({0, 7}, 8, 2), 4u);
  EXPECT_EQ(zar::partial_proof_digests({0, 1, 2, 3, 4, 5, 6, 7}, 8, 2), 0u);
  EXPECT_EQ(zar::partial_proof_digests({4}, 5, 4), 1u);  // the last node has one child
}

TEST(StructureExperiment, ARunOverAShippedListAgreesAndAnswers) {
  const zar::TemporaryDirectory out;
  const std::string body =
      R"("question": "packing", "images": ["list:xterm"], "packings": ["off", "page", "path"])";
  const Result r = run(body, out);
  EXPECT_TRUE(r.summary.failures.empty());
  EXPECT_TRUE(*r.summary.amounts_equal);
  EXPECT_TRUE(*r.summary.within_tolerance);
  EXPECT_EQ(metric(r.points[0], "content").measured->median, 28819140);
  const std::string text = structure_table(r, experiment(body));
  EXPECT_THAT(text, HasSubstr("least padding: path"));
  EXPECT_THAT(text, HasSubstr("exact    all equal"));
  const std::string page = report_html(r, {});
  EXPECT_THAT(page, HasSubstr("Which packing of small files?"));
  EXPECT_THAT(page, HasSubstr(">path<"));
  EXPECT_THAT(page, HasSubstr("=&gt; least padding: path"));
}

// Two images, three block sizes: the best of each is the worst of the other, the third is near
// both.
TEST(StructureExperiment, TheAnswerIsTheDesignThatIsNearTheBestOfEachImage) {
  const Experiment e = experiment(
      R"("question": "block-size", "images": ["list:xterm", "list:xterm>list:xterm~1"],
         "block_sizes": ["4KiB", "16KiB", "64KiB"])");
  Result r = empty_result(e);
  const double cost[] = {100, 110, 150, 480, 330, 300};
  for (std::size_t i = 0; i < r.points.size(); ++i)
    r.points[i].metrics = {Metric{"cost", "total", "B", cost[i], {}, {}, {}, {}, {}, {}}};
  Answer a = structure_answer(r, e);
  EXPECT_EQ(a.answer, "16.0 KiB");
  EXPECT_THAT(a.detail, HasSubstr("in the geometric mean 10.0 % more"));
  EXPECT_THAT(a.detail, HasSubstr("4.00 KiB costs 60.0 % more (list:xterm>list:xterm~1)"));
  EXPECT_THAT(a.sentences[1], HasSubstr("xterm~1: 64.0 KiB (300 B); 4.00 KiB costs 60.0 % more"));
  ASSERT_TRUE(a.plot.has_value());
  EXPECT_EQ(a.plot->unit, "%");
  EXPECT_NEAR(a.plot->points[1].value, 0.1, 1e-12);
  r.points[5].metrics[0].simulated = 0;  // a share of nothing is no share
  a = structure_answer(r, e);
  EXPECT_THAT(a.sentences[1], HasSubstr("something where the best costs nothing"));
  EXPECT_EQ(a.plot->unit, "B");
  EXPECT_THAT(answer_plot(*a.plot).dump(), testing::Not(HasSubstr("\"value\":0.0")));
  for (PointResult& p : r.points) p.metrics.clear();
  EXPECT_TRUE(structure_answer(r, e).answer.empty());
}

// A part of a sweep has nothing at the places where the table would look.
TEST(StructureExperiment, APartOfTheGridHasAPageWithoutTheTable) {
  Result r =
      empty_result(experiment(R"("images": ["list:xterm"], "block_sizes": ["4KiB", "16KiB"])"));
  EXPECT_FALSE(answer_of_kind(r).table.empty());
  r.points.pop_back();
  EXPECT_TRUE(answer_of_kind(r).table.empty());
  EXPECT_THAT(report_html(r, {}), testing::Not(HasSubstr("The table as the program prints it")));
}

TEST(StructureExperiment, AnInventedUpdateSharesMostAndIsTheSameEveryTime) {
  const zar::TemporaryDirectory out;
  const std::string body =
      R"("question": "update", "images": ["list:xterm>list:xterm~1", "list:xterm>list:xterm"])";
  const Result a = run(body, out), b = run(body, out);
  const double network = metric(a.points[0], "network").measured->median;
  EXPECT_GT(network, 0);
  EXPECT_LT(network, 0.1 * metric(a.points[0], "image").measured->median);
  EXPECT_EQ(network, metric(b.points[0], "network").measured->median);
  EXPECT_EQ(metric(a.points[1], "copied").measured->median, 0);
  EXPECT_TRUE(std::filesystem::is_empty(out.path()));  // no image is left
}

TEST(StructureExperiment, ADifferenceOfExactNumbersIsNamed) {
  const Experiment e = experiment(R"("images": ["list:xterm"])");
  const auto& s = structure_settings(e);
  StructurePrediction p;
  p.recipe = Predicted{100, true};
  p.padding = Predicted{104, false};
  p.metadata = Predicted{7, true};
  Result r = empty_result(e);
  const std::map<std::string, double> counted{
      {"recipe", 132}, {"padding", 100}, {"metadata", 7}, {"image", 1}};
  compare_structure(s.points[0], s, &p, {counted}, 1, r.points[0]);
  summarise_structure(s, r);
  EXPECT_FALSE(*r.summary.amounts_equal);
  ASSERT_EQ(r.summary.amount_differences.size(), 1u);
  EXPECT_THAT(r.summary.amount_differences[0], HasSubstr("recipe: 100 predicted, 132 counted"));
  EXPECT_TRUE(*r.summary.within_tolerance);  // 4 %
}

TEST(StructureExperiment, ADrawnNumberHasToLieAmongTheDraws) {
  const Experiment e = experiment(R"("images": ["list:xterm>list:xterm~1"])");
  const auto& s = structure_settings(e);
  for (const double counted : {89.0, 91.0, 120.0, 131.0}) {
    StructurePrediction p;
    p.network = Predicted{110, false, {{90, 130}}};
    p.recipe = Predicted{1, true};
    Result r = empty_result(e);
    compare_structure(s.points[0], s, &p, {{{"network", counted}, {"recipe", 1}, {"image", 1}}}, 1,
                      r.points[0]);
    const Metric& m = metric(r.points[0], "network");
    EXPECT_EQ(*m.within_tolerance, counted > 90 && counted < 130) << counted;
    EXPECT_THAT(m.note, HasSubstr("90 % of draws: 90 to 130"));
    EXPECT_EQ(*m.simulated_interval, std::pair(90.0, 130.0));
    EXPECT_EQ(*metric(r.points[0], "cost").within_tolerance, *m.within_tolerance);
  }
}

TEST(StructureExperiment, WhatIsFittedOnIsShownAndNotJudged) {
  const zar::TemporaryDirectory out;
  const Result r = run(
      R"("question": "update", "images": ["list:xterm>list:xterm~1", "list:xterm>list:xterm~2"],
         "fit_images": ["list:xterm>list:xterm~2"], "block_sizes": ["16KiB"])",
      out);
  EXPECT_TRUE(metric(r.points[0], "network").within_tolerance.has_value());
  EXPECT_FALSE(metric(r.points[1], "network").within_tolerance.has_value());
  EXPECT_TRUE(metric(r.points[1], "network").relative_error.has_value());
  EXPECT_TRUE(metric(r.points[1], "padding").within_tolerance.has_value());
  EXPECT_TRUE(*r.summary.within_tolerance);
  const Experiment e = experiment(
      R"("question": "update", "images": ["list:xterm>list:xterm~1", "list:xterm>list:xterm~2"],
         "fit_images": ["list:xterm>list:xterm~2"], "block_sizes": ["16KiB"])");
  const std::string text = structure_table(r, e);
  EXPECT_THAT(text, HasSubstr("list:xterm>list:xterm~2 (fitted on)"));
  EXPECT_THAT(text, HasSubstr("fitted   to fetch: 1 numbers"));
  EXPECT_THAT(text, HasSubstr("held out to fetch: 1 numbers"));
}

TEST(StructureExperiment, LeavingOneOutAllAreJudgedAndNoneLearntFromItself) {
  const zar::TemporaryDirectory out;
  const std::string images =
      R"("question": "update", "images": ["list:xterm>list:xterm~1", "list:xterm>list:xterm~2"],
         "block_sizes": ["16KiB"])";
  const Result none = run(images, out);
  const Result one =
      run(images + R"(, "leave_one_out": true, "fit_images": ["list:xterm>list:xterm~2"])", out);
  for (const PointResult& p : one.points)
    EXPECT_TRUE(metric(p, "network").within_tolerance.has_value());
  const auto predicted = [](const Result& r, std::size_t i) {
    return *metric(r.points[i], "network").simulated;
  };
  EXPECT_NE(predicted(one, 0), predicted(none, 0));
  EXPECT_EQ(predicted(one, 1), predicted(none, 1));
}

TEST(StructureExperiment, ASecondPredictionIsToldWhatWasCountedAtOneBlockSize) {
  const zar::TemporaryDirectory out;
  const std::string body =
      R"("question": "update", "images": ["list:xterm>list:xterm~1"], "leave_one_out": true,
         "block_sizes": ["64KiB", "256KiB"], "told_block_size": "256KiB",
         "told_errors": {"64KiB": 0.5},
         "fit_images": ["list:xterm>list:xterm~2", "list:xterm>list:xterm~3"])";
  const Result r = run(body, out);
  const Metric& told = metric(r.points[0], "network_told");
  EXPECT_EQ(told.measured->median, metric(r.points[0], "network").measured->median);
  EXPECT_TRUE(told.within_tolerance.has_value());
  EXPECT_LE(told.simulated_interval->first, 0.5 * *told.simulated);
  EXPECT_GE(told.simulated_interval->second, 1.5 * *told.simulated);
  EXPECT_LE(std::abs(*told.relative_error),
            std::abs(*metric(r.points[0], "network").relative_error));
  EXPECT_TRUE(metric(r.points[0], "copied_told").simulated.has_value());
  for (const Metric& m : r.points[1].metrics) EXPECT_NE(m.name, "network_told");
  const std::string text = structure_table(r, experiment(body));
  EXPECT_THAT(text, HasSubstr("held out to fetch, told: 1 numbers"));
  EXPECT_THAT(text, HasSubstr("told what was counted in blocks of 256 KiB"));
}

// Trees as the script that unpacks packages leaves them: applications "one" and "two" share a
// library of which the update changes one page; of what they have alone it changes all pages.
class SharedFiles : public testing::Test {
 protected:
  SharedFiles() {
    ::setenv("MISSIVE_HOME", home_.path().c_str(), 1);
    for (const char* application : {"one", "two"})
      for (const char* suite : {"bookworm", "bookworm-security", "bookworm-proposed"}) {
        const auto tree = home_.path() / "trees" / (application + std::string("@") + suite);
        const bool old = suite == std::string("bookworm");
        std::string library = zar::noise(160 << 10, 1);
        if (!old) library[40 << 10] ^= 1;
        zar::put(tree, "/library", library);
        zar::put(tree, "/own", zar::noise(80 << 10, application[0] + (old ? 0U : 1000U)));
        zar::set_time(tree, 0);
      }
  }
  ~SharedFiles() override { ::unsetenv("MISSIVE_HOME"); }
  zar::TemporaryDirectory home_, out_;
  const std::string body_ =
      R"("question": "update", "images": ["one@bookworm>one@bookworm-security"],
         "block_sizes": ["4KiB"], "leave_one_out": true, "fit_images": )";
};

TEST_F(SharedFiles, ASecondPredictionKnowsWhatTheyWentThroughInAnotherApplication) {
  const std::string body =
      body_ + R"(["one@bookworm>one@bookworm-security", "two@bookworm>two@bookworm-security"])";
  const Result r = run(body, out_);
  const Metric& strangers = metric(r.points[0], "network");
  const Metric& seen = metric(r.points[0], "network_seen");
  EXPECT_EQ(strangers.measured->median, (1 + 20) * 4096);  // of the library, and own
  EXPECT_EQ(*strangers.simulated, (40 + 20) * 4096);       // strangers keep nothing
  EXPECT_EQ(seen.measured->median, strangers.measured->median);
  EXPECT_LT(*seen.simulated, (1 + 20) * 4096);  // its own is drawn: as the library, or as two's
  EXPECT_GT(*seen.simulated, (1 + 1) * 4096);
  EXPECT_TRUE(seen.within_tolerance.has_value());
  EXPECT_THAT(seen.note, HasSubstr("1 of 2 changed files were seen in other applications"));
  EXPECT_TRUE(metric(r.points[0], "copied_seen").simulated.has_value());
  const std::string text = structure_table(r, experiment(body));
  EXPECT_THAT(text, HasSubstr("fetch: strangers"));
  EXPECT_THAT(text, HasSubstr("held out to fetch, seen: 1 numbers"));
}

// Whoever counted an update can ship what was learnt there, whether it was learnt from or not.
TEST_F(SharedFiles, EveryRealUpdateIsRecorded) {
  const std::string other = R"("two@bookworm>two@bookworm-security")";
  run(body_ + "[" + other + "]", out_);
  std::map<std::string, int> changed;  // files, by the update
  for (const RecordedEdit& e : read_edits(out_.path() / "edits.gz"))
    for (const std::string& image : e.images) ++changed[image];
  EXPECT_EQ(changed["one@bookworm>one@bookworm-security"], 2);
  EXPECT_EQ(changed["two@bookworm>two@bookworm-security"], 2);
  EXPECT_EQ(changed.size(), 2u);
}

TEST_F(SharedFiles, AnotherVersionOfTheSameApplicationIsNoOtherApplication) {
  const Result r = run(body_ + R"(["one@bookworm>one@bookworm-proposed"])", out_);
  EXPECT_TRUE(metric(r.points[0], "network").simulated.has_value());
  for (const Metric& m : r.points[0].metrics) EXPECT_NE(m.name, "network_seen");
}

TEST(StructureExperiment, APredictionHasItsErrorBarsAsSharesOfWhatWasCounted) {
  Metric m;
  EXPECT_EQ(prediction_cell(nullptr, 0.05), "-");
  EXPECT_EQ(prediction_cell(&m, 0.05), "-");
  m.unit = "B", m.simulated = 2048;
  EXPECT_EQ(prediction_cell(&m, 0.05), "2048 B");
  m.measured = Measured{200, 200, 200, 1, std::nullopt};
  m.simulated = 214, m.relative_error = 0.07, m.within_tolerance = true;
  m.simulated_interval = {190, 230};
  EXPECT_EQ(prediction_cell(&m, 0.05), "+7.0%~ [-5 +15]");
  m.within_tolerance = false, m.simulated_interval.reset();
  EXPECT_EQ(prediction_cell(&m, 0.05), "+7.0%!");
  m.note = "exact";
  EXPECT_EQ(prediction_cell(&m, 0.05), "!=");
}

TEST(StructureExperiment, LeavingOneOutBlockSizesAreCountedOneByOne) {
  const std::string body =
      R"("question": "update", "images": ["list:xterm>list:xterm~1", "list:xterm>list:xterm~2"],
         "leave_one_out": true, "block_sizes": ["4KiB", "16KiB"])";
  const Experiment e = experiment(body);
  const auto& s = structure_settings(e);
  Result r = empty_result(e);
  const double counted[] = {95, 3e6, 108, 111};  // within 5 %: the last two; in it: all but one
  for (std::size_t i = 0; i < r.points.size(); ++i) {
    StructurePrediction p;
    p.network = Predicted{110, false, {{90, 130}}};
    compare_structure(s.points[i], s, &p, {{{"network", counted[i]}, {"recipe", 1}, {"image", 1}}},
                      1, r.points[i]);
  }
  const std::string text = structure_table(r, e);
  EXPECT_THAT(text, HasSubstr("4.00 KiB: 1 of 2 (2 of 2), 16.0 KiB: 1 of 2 (1 of 2)"));
  EXPECT_THAT(text, HasSubstr("beyond, but of less than 1 MiB: 1"));
}

TEST(StructureExperiment, HashesAreKnownUnlessTheyAreToBeDrawn) {
  const zar::TemporaryDirectory out;
  const std::string body =
      R"("question": "placement", "images": ["list:xterm"], "placements": ["stable"])";
  const Result known = run(body, out), drawn = run(body + R"(, "hashes": "drawn")", out);
  const auto& scrap = metric(known.points[0], "scrap_items");
  EXPECT_EQ(scrap.note, "exact");
  EXPECT_EQ(*scrap.simulated, scrap.measured->median);
  EXPECT_TRUE(metric(drawn.points[0], "scrap_items").simulated_interval.has_value());
}

// What is foretold of drawn hashes is a mean: it is held against that of counts with many hashes.
TEST(StructureExperiment, DrawnHashesAreHeldAgainstTheMeanOverHashes) {
  const Experiment e = experiment(R"("images": ["list:xterm>list:xterm~1"])");
  const auto& s = structure_settings(e);
  for (const double shift : {0.0, 8.0}) {
    StructurePrediction p;
    p.network = p.copied = Predicted{100, false, {{60, 140}}};
    Result r = empty_result(e);
    StructureCounts counted{{{"network", 130}, {"copied", 130}, {"recipe", 1}, {"image", 1}}};
    for (const double one : {70, 130, 80, 120, 90, 110, 99, 101})
      counted.copied.push_back(one + shift);
    compare_structure(s.points[0], s, &p, counted, 1, r.points[0]);
    const Metric& mean = metric(r.points[0], "copied_mean");
    EXPECT_DOUBLE_EQ(mean.measured->median, 100 + shift);
    EXPECT_EQ(mean.measured->n, 8u);
    EXPECT_NEAR(mean.measured->high - mean.measured->low, 2 * 2.365 * 20.02 / std::sqrt(8), 0.1);
    EXPECT_EQ(*mean.within_tolerance, shift == 0);  // whatever the interval of a single count
    EXPECT_FALSE(mean.simulated_interval.has_value());
    EXPECT_TRUE(*metric(r.points[0], "copied").within_tolerance);
    EXPECT_THROW(metric(r.points[0], "network_mean"), std::runtime_error);
  }
}

TEST(StructureExperiment, SaltsBuildOtherImagesOfTheSameContents) {
  const zar::TemporaryDirectory out;
  const std::string body =
      R"("question": "placement", "images": ["list:xterm>list:xterm~1"], "hashes": "drawn",
         "block_sizes": ["64KiB"], "placements": ["in-order", "stable"], "hash_salts": 8)";
  const Result r = run(body, out);
  EXPECT_THROW(metric(r.points[0], "copied_mean"), std::runtime_error);  // nothing is hashed
  const Metric& mean = metric(r.points[1], "copied_mean");
  EXPECT_LT(mean.measured->low, mean.measured->high);
  EXPECT_NEAR(*mean.relative_error, 0, 0.25);
  EXPECT_TRUE(std::filesystem::is_empty(out.path()));
}

TEST(StructureExperiment, CoverageCountsWhatIntervalsHold) {
  const std::string body =
      R"("question": "update", "images": ["list:xterm>list:xterm~1", "list:xterm>list:xterm~2"],
         "fit_images": ["list:xterm>list:xterm~2"], "block_sizes": ["4KiB", "16KiB"])";
  const Experiment e = experiment(body);
  const auto& s = structure_settings(e);
  Result r = empty_result(e);
  const double counted[] = {95, 131, 95, 95};  // inside, outside, and two that are fitted on
  for (std::size_t i = 0; i < r.points.size(); ++i) {
    StructurePrediction p;
    p.network = Predicted{110, false, {{90, 130}}};
    p.copied = Predicted{110, false};
    compare_structure(s.points[i], s, &p,
                      {{{"network", counted[i]}, {"copied", 110}, {"recipe", 1}, {"image", 1}}}, 1,
                      r.points[i]);
  }
  EXPECT_EQ(coverage_of(r, s, "network").stated, 2u);
  EXPECT_EQ(coverage_of(r, s, "network").held, 1u);
  EXPECT_EQ(coverage_of(r, s, "copied").stated, 0u);
  EXPECT_THAT(structure_table(r, e), HasSubstr("1 of 2 numbers to fetch lie in theirs"));
}

}  // namespace
}  // namespace missive::harness
