// Blocks of images counted from lists, against the recipes of images that were built.

#include <gtest/gtest.h>

#include "models/error.h"
#include "real/commonality/collection.h"
#include "real/zar/compare.h"
#include "real/zar/test_tree.h"

namespace missive::commonality {
namespace {

using zar::noise;

constexpr std::uint32_t kBlock = 8192;

std::uint64_t hash_of(const std::string& text) {
  return hash64(std::as_bytes(std::span(text.data(), text.size())));
}

// Two applications, as files on disk and as lists.
class ImageContent : public ::testing::Test {
 protected:
  ImageContent() { lists_.cuttings = {{"8KiB", kBlock}}; }

  void file(std::size_t application, const std::string& path, const std::string& content) {
    while (lists_.applications.size() <= application) {
      const auto n = static_cast<std::uint32_t>(lists_.applications.size());
      lists_.packages.push_back({"p=" + std::to_string(n), {}});
      lists_.applications.push_back({"a" + std::to_string(n), "f", {n}});
    }
    zar::put(tree(application), path, content);
    ListedFile listed;
    listed.path = path, listed.size = content.size(), listed.digest = hash_of(content);
    listed.units.resize(1);
    if (content.size() > kBlock)
      for (std::size_t at = 0; at < content.size(); at += kBlock) {
        const std::string part = content.substr(at, kBlock);
        listed.units[0].push_back({hash_of(part), static_cast<std::uint32_t>(part.size())});
      }
    lists_.packages[application].files.push_back(std::move(listed));
  }

  std::filesystem::path tree(std::size_t application) const {
    return scratch_.path() / std::to_string(application);
  }

  // Bytes of blocks that the second image has and the first has not. Metadata, which lists do not
  // count, is the first block of each.
  std::uint64_t new_in_built_images() const {
    zar::BuildOptions options;
    options.block_size = kBlock;
    const auto build = [&](std::size_t i) {
      const auto report = zar::build(tree(i), {}, options, scratch_.path() / "image");
      EXPECT_LT(report.metadata_bytes, kBlock);
      return report.recipe;
    };
    const zar::Recipe a = build(0), b = build(1);
    EXPECT_NE(a.leaves[0], b.leaves[0]);
    return zar::compare(a, b).network.bytes - kBlock;
  }

  zar::TemporaryDirectory scratch_;
  BlockLists lists_;
};

TEST_F(ImageContent, NewBlocksAreThoseThatTheBuilderMakes) {
  for (const std::size_t a : {0U, 1U}) {
    file(a, "/lib/large", noise(5 * kBlock + 100, 1));
    file(a, "/lib/other", noise(2 * kBlock, 2 + static_cast<unsigned>(a)));
    // A large file that agrees with the other version's in its first block only.
    file(a, "/lib/version", noise(kBlock, 10) + noise(kBlock, 11 + static_cast<unsigned>(a)));
    file(a, "/share/a", noise(3000, 4));
    file(a, "/share/c", noise(700, 5));
    file(a, "/share/page", noise(5000, 6));
    file(a, "/share/pages", noise(6000, 7));
  }
  file(1, "/share/b", noise(3500, 8));  // moves small files and pages, not what lies on blocks
  file(1, "/share/empty", "");
  const Collection c = image_content(lists_, "8KiB");
  EXPECT_EQ(c.members[1].files, 9u);
  EXPECT_TRUE(c.blocks);
  EXPECT_EQ(c.metadata_unit, kBlock);
  EXPECT_EQ(new_bytes(c, 1, {0}), new_in_built_images());
  EXPECT_LT(new_bytes(c, 1, {0}), content_bytes(c, 1));
  EXPECT_GT(new_bytes(c, 1, {0}), new_bytes(whole_content(lists_, "strings"), 1, {0}));
}

TEST_F(ImageContent, WithoutHashesOfThatSizeAFileThatChangedIsNewWhole) {
  for (const std::size_t a : {0U, 1U})
    file(a, "/lib/version", noise(kBlock, 10) + noise(kBlock, 11 + static_cast<unsigned>(a)));
  EXPECT_EQ(new_bytes(image_content(lists_, "8KiB"), 1, {0}), kBlock);
  EXPECT_EQ(new_bytes(image_content(lists_, "4KiB"), 1, {0}), 2 * kBlock);
}

TEST_F(ImageContent, RefusesBlocksThatNoImageHas) {
  file(0, "/x", "x");
  EXPECT_THROW(image_content(lists_, "2KiB"), InputError);
  EXPECT_THROW(image_content(lists_, "cdc"), InputError);
}

}  // namespace
}  // namespace missive::commonality
