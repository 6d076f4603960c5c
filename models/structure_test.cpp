#include "models/structure.h"

#include <cmath>

#include <gtest/gtest.h>

#include "models/random.h"

namespace missive {
namespace {

StructureFacts facts(const std::vector<std::uint64_t>& sizes) {
  StructureFacts f;
  for (const std::uint64_t size : sizes) f.files.emplace_back().size = size;
  f.entries = sizes.size() + 1;
  return f;
}

StructurePrediction predict(const StructureFacts& f, const std::string& packing,
                            const std::string& placement = "in-order") {
  StructureDesign d;
  d.packing = packing;
  d.placement = placement;
  return predict_structure(f, d);
}

TEST(Structure, WithoutPackingEveryFileTakesWholeBlocks) {
  const auto p = predict(facts({1, 65536, 65537}), "off");
  EXPECT_TRUE(p.image->exact);
  EXPECT_EQ(p.image->value, 65536.0 * (1 + 1 + 1 + 2));  // metadata in front
  EXPECT_EQ(p.recipe->value, 32 + 5 * 32);
  EXPECT_EQ(p.metadata->value, 256 + 4 * 40);
}

TEST(Structure, OnPagesSmallFilesShareBlocksAndLargeOnesDoNot) {
  const auto p = predict(facts({1, 5000, 70000}), "page");
  EXPECT_TRUE(p.image->exact);
  EXPECT_EQ(p.image->value, 65536.0 * (1 + 1 + 2));
}

TEST(Structure, GreedySmallFilesFillLastPagesFirstAndThenPagesOfTheirOwn) {
  // 5,000 bytes leave 3,192: the largest that fits is 3,000, then 100. The other two fill two
  // pages.
  StructureDesign d;
  d.block_size = 4096, d.packing = "greedy";
  const auto p = predict_structure(facts({5000, 3000, 100, 3500, 4000}), d);
  EXPECT_TRUE(p.image->exact);
  EXPECT_EQ(p.image->value, 4096.0 * (1 + 2 + 2));  // metadata in front
}

TEST(Structure, ABundleOfEqualFilesIsTheirNumberByThePage) {
  // Two files of 1,500 bytes fit a page, three do not.
  const BundlePages pages(std::vector<std::uint64_t>(10, 1500));
  EXPECT_NEAR(pages.of(1), 1, 1e-12);
  EXPECT_NEAR(pages.of(2), 1, 1e-12);
  EXPECT_NEAR(pages.of(3), 2, 1e-12);
  EXPECT_NEAR(pages.of(1000), 500, 0.6);
}

TEST(Structure, ABundleOfMixedFilesIsWhatPackingThemGives) {
  Random random(3);
  std::vector<std::uint64_t> sizes;
  for (int i = 0; i < 20000; ++i) sizes.push_back(1 + random.below(4095));
  std::uint64_t pages = 0, fill = 4096;
  for (const std::uint64_t size : sizes) {
    const std::uint64_t room = (size + 7) / 8 * 8;
    if (fill + room > 4096) ++pages, fill = 0;
    fill += room;
  }
  const double predicted = BundlePages(sizes).of(sizes.size());
  EXPECT_NEAR(predicted / static_cast<double>(pages), 1, 0.01);
}

TEST(Structure, TreesOfTheDocumentsExample) {
  EXPECT_EQ(tree_nodes(1600, 128), 13u + 1u);
  EXPECT_EQ(leaf_proof(1600, 128), 127u + 12u);
  EXPECT_EQ(tree_nodes(1, 2), 0u);
}

TEST(Structure, AProofOfAllNeedsNoSiblingAndOneOfOneNeedsAll) {
  EXPECT_DOUBLE_EQ(partial_proof(1024, 1024, {}, 4), 0);
  EXPECT_DOUBLE_EQ(partial_proof(1024, 0, {1024}, 4), 0);
  EXPECT_NEAR(partial_proof(1024, 1, {500, 523}, 4), 15, 2);
}

TEST(Structure, ARecordedStartComesFirstWhereItsOrderPlaces) {
  StructureFacts f = facts({5000, 70000, 6000});
  f.files[1].rank = 0;
  // A block of metadata, two of the file that is needed, one of the two others.
  const auto p = predict(f, "path", "launch");
  EXPECT_TRUE(p.image->exact);
  EXPECT_EQ(p.image->value, 65536.0 * 3);  // the others fit the rest of its last block
  EXPECT_FALSE(predict(f, "directory", "launch").image);
}

TEST(Structure, LargestFirstFillsTheRestOfABlock) {
  // 60,000 bytes leave a page, which 4,000 take; packed by path they would follow each other too.
  const auto p = predict(facts({60000, 65536, 5000, 4000}), "page", "greedy");
  EXPECT_TRUE(p.image->exact);
  EXPECT_EQ(p.image->value, 65536.0 * 4);
}

TEST(Structure, DrawnNumbersSayHowTheySpread) {
  std::vector<double> draws(39);
  for (std::size_t i = 0; i < draws.size(); ++i) draws[i] = static_cast<double>(39 - i);
  const Predicted p = mean_of(draws);
  EXPECT_NEAR(p.value, 20, 1e-9);
  EXPECT_EQ(p.spread->first, 2);
  EXPECT_EQ(p.spread->second, 38);
  EXPECT_FALSE(mean_of({3, 3}).spread);
}

// What it says of the draws holds for one more of them, whatever they are distributed by.
TEST(Structure, NineTimesInTenOneDrawMoreLiesInTheInterval) {
  constexpr int kTrials = 20000;
  int held = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    Random random(11, static_cast<std::uint64_t>(trial));
    const auto draw = [&] {  // skewed
      const double u = static_cast<double>(random.below(1U << 30U)) / (1U << 30U);
      return u * u * u * u;
    };
    std::vector<double> draws(39);
    for (double& d : draws) d = draw();
    const auto spread = *mean_of(draws).spread;
    const double next = draw();
    held += next >= spread.first && next <= spread.second;
  }
  EXPECT_NEAR(static_cast<double>(held) / kTrials, 0.9, 0.01);  // five standard errors
}

}  // namespace
}  // namespace missive
