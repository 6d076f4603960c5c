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
  return predict_structure(f, d, nullptr);
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

TEST(Structure, AChangeThatKeepsItsRoomDamagesOnePageAndMovesNothing) {
  const std::vector<std::uint64_t> sizes{100, 900, 2000, 3000};
  const BundleDamage same = bundle_damage(sizes, {{897, 900}});
  EXPECT_NEAR(same.pages, 1, 1e-9);
  EXPECT_DOUBLE_EQ(same.shift, 0);
  const BundleDamage other = bundle_damage(sizes, {{0, 3000}});
  EXPECT_GT(other.pages, 1);
  EXPECT_GT(other.shift, 0);
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

TEST(Structure, SurvivalGoesThroughBothSizesAndRefusesOthers) {
  const BlockSurvival s = fit_survival(4096, 0.9, 65536, 0.4);
  EXPECT_NEAR(s.of(4096), 0.9, 1e-12);
  EXPECT_NEAR(s.of(65536), 0.4, 1e-12);
  EXPECT_GT(s.of(16384), 0.4);
  EXPECT_LT(s.of(16384), 0.9);
  EXPECT_THROW(fit_survival(4096, 1, 65536, 0.4), std::domain_error);
}

TEST(Structure, WhereNothingChangedNothingIsFetched) {
  StructureFacts f = facts({100, 5000, 70000, 200000});
  f.pair = true;
  for (FileFact& file : f.files) file.change = FileChange::same;
  EXPECT_NEAR(predict(f, "path").network->value, 0, 1);
}

TEST(Structure, LaunchOrderIsNotPredicted) {
  EXPECT_FALSE(predict(facts({1, 5000}), "path", "launch").image);
}

}  // namespace
}  // namespace missive
