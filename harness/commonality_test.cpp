// The kind "commonality": small sets with known answers, files that are wrong, the shipped sample.

#include "harness/commonality_experiment.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "harness/experiment_kind.h"
#include "harness/test_support.h"
#include "models/error.h"
#include "real/gzip.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

Experiment experiment(const std::string& body = "") {
  use_source_data();
  const std::string text =
      R"({"format": "missive-sim/experiment/1", "name": "t", "kind": "commonality")" +
      (body.empty() ? "" : ", " + body) + "}";
  return make_experiment(JsonSource::parse(text, "t.json"));
}

std::optional<double> counted(const std::vector<Metric>& metrics, const std::string& name) {
  for (const Metric& m : metrics)
    if (m.name == name && m.measured) return m.measured->median;
  return std::nullopt;
}

commonality::Collection three() {
  commonality::Collection c;
  c.lengths = {100, 10, 1};
  c.members = {{"a", "gtk", {0, 1}, 2, 20}, {"b", "gtk", {0}, 1, 10}, {"c", "qt", {0, 2}, 2, 20}};
  return c;
}

TEST(Commonality, CountsWhatOnlyOneHas) {
  std::vector<std::string> differences;
  const auto metrics = count_commonality(three(), experiment(), differences);
  EXPECT_THAT(differences, ::testing::IsEmpty());
  EXPECT_NEAR(*counted(metrics, "alone"), (110 + 100 + 101) / 3.0, 1e-9);
  EXPECT_NEAR(*counted(metrics, "left_out"), 11 / 3.0, 1e-9);
  EXPECT_EQ(counted(metrics, "left_out.median"), 1);
  EXPECT_EQ(counted(metrics, "union"), 111);
  EXPECT_EQ(counted(metrics, "left_out.gtk"), 5);  // a has 10 that b has not, b nothing
  EXPECT_EQ(counted(metrics, "left_out.qt"), std::nullopt);
}

TEST(Commonality, MetadataAndRecipeAreNobodyElses) {
  std::vector<std::string> differences;
  commonality::Collection c = three();
  auto metrics = count_commonality(c, experiment(), differences);
  // 2 files, 20 bytes of paths, 2 units; 1, 10, 1; 2, 20, 2.
  const double metadata = 40 * 5 + 50, recipe = 3 * 32 + 32 * 5;
  EXPECT_NEAR(*counted(metrics, "left_out_all"), (11 + metadata + recipe) / 3, 1e-9);
  EXPECT_NEAR(*counted(metrics, "left_out_all.gtk"), 5 + (150 + 64 + 96) / 2.0, 1e-9);
  c.blocks = false;  // units state their lengths
  metrics = count_commonality(c, experiment(), differences);
  EXPECT_NEAR(*counted(metrics, "left_out_all"), (11 + metadata + recipe + 8 * 5) / 3, 1e-9);
  c.blocks = true, c.metadata_unit = 4096;  // which then has a digest, too
  metrics = count_commonality(c, experiment(), differences);
  EXPECT_NEAR(*counted(metrics, "left_out_all"), (11 + 3 * 4096 + recipe + 32 * 3) / 3, 1e-9);
}

TEST(Commonality, ExpectationsDoNotComeFromCounting) {
  std::vector<std::string> differences;
  const auto sim = count_commonality(three(), experiment(R"("backend": "sim")"), differences);
  const auto both = count_commonality(three(), experiment(), differences);
  for (const Metric& m : sim) {
    EXPECT_FALSE(m.measured) << m.name;
    for (const Metric& o : both) {
      if (o.name == m.name) {
        EXPECT_EQ(o.simulated, m.simulated) << m.name;
      }
    }
  }
}

class Lists : public ::testing::Test {
 protected:
  std::string error_of(const std::string& text) {
    const auto file =
        std::filesystem::path(::testing::TempDir()) / ("x" + std::to_string(::getpid()) + ".gz");
    write_gzip(file, text);
    std::string said = "accepted";
    try {
      commonality::read_block_lists(file);
    } catch (const InputError& e) {
      said = e.what();
    }
    std::filesystem::remove(file);
    return said;
  }
  const std::string head_ = "# missive-sim/block-lists/1 digest=blake2b/64 units=4KiB,cdc\n";
  const std::string file_ = "P\tp=1\nF\t5000\t00000000000000ff\t-\t/usr/bin/x\n";
  const std::string end_ = "A\tx\tgtk\tp=1\n";
};

TEST_F(Lists, AreReadAndRefusedWithTheirLine) {
  const std::string two(32, '1');
  EXPECT_EQ(error_of(head_ + file_ + "U\t0\t" + two + "\n" + end_), "accepted");
  EXPECT_THAT(error_of("# something\n"), HasSubstr(":1: not block lists"));
  EXPECT_THAT(error_of(head_ + file_), HasSubstr(":3: no application"));
  EXPECT_THAT(error_of(head_ + file_ + "U\t0\t" + two.substr(1) + "\n" + end_),
              HasSubstr(":4: units are cut off"));
  EXPECT_THAT(error_of(head_ + file_ + "U\t0\t" + two.substr(16) + "\n" + end_),
              HasSubstr(":4: units are shorter than their file"));
  EXPECT_THAT(error_of(head_ + file_ + "U\t7\t" + two + "\n" + end_), HasSubstr("does not name"));
  EXPECT_THAT(error_of(head_ + file_ + "A\tx\tgtk\tq=1\n"),
              HasSubstr("package q=1 is not listed above; make it again"));
  EXPECT_THAT(error_of(head_ + "F\t1\t0\t-\t/x\n"), HasSubstr(":2: a file before any package"));
  EXPECT_THAT(error_of(head_ + file_ + "X\n"), HasSubstr(":4: unknown line"));
}

TEST(CommonalitySample, AnswersWithoutADownload) {
  const Experiment e = experiment(R"("repetitions": 20)");
  const Result r = run_commonality(e, RunOptions{});
  EXPECT_TRUE(r.summary.failures.empty());
  EXPECT_TRUE(r.summary.not_available.empty());
  EXPECT_EQ(r.summary.amounts_equal, true);
  ASSERT_EQ(r.points.size(), 3u);
  for (const PointResult& p : r.points) {
    EXPECT_GT(*counted(p.metrics, "alone.median"), *counted(p.metrics, "left_out.median"));
    EXPECT_GT(*counted(p.metrics, "left_out_all.median"), *counted(p.metrics, "left_out.median"));
  }
  EXPECT_THAT(commonality_table(r, e), HasSubstr("Missive, 2014"));
  const Answer a = commonality_answer(r, e);
  EXPECT_THAT(a.answer, HasSubstr("6.7 of 48.7 MiB (13.7 %)"));
  EXPECT_THAT(a.detail, HasSubstr("touched 64KiB"));
  ASSERT_TRUE(a.plot.has_value());
  EXPECT_EQ(a.plot->points.size(), 8u);  // three readings and Missive's, before and after
}

TEST(CommonalityLists, TheShippedVersionsAreTwoOfEachApplication) {
  use_source_data();
  const auto lists = commonality::read_block_lists(commonality_lists("versions"));
  ASSERT_EQ(lists.applications.size(), 10u);
  for (std::size_t i = 0; i < 10; i += 2) {
    EXPECT_EQ(lists.applications[i].family, lists.applications[i + 1].family);
    EXPECT_EQ(lists.applications[i].name, lists.applications[i].family + "-bookworm");
    EXPECT_EQ(lists.applications[i + 1].name, lists.applications[i].family + "-bookworm-security");
  }
}

}  // namespace
}  // namespace missive::harness
