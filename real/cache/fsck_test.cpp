#include "real/cache/fsck.h"

#include <fstream>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/retention.h"
#include "real/cache/store.h"
#include "real/cache/tag_store.h"
#include "real/origin/test_image.h"

namespace missive::cache {
namespace {

namespace fs = std::filesystem;
using origin::TestImage;
using testing::HasSubstr;
using testing::IsEmpty;

// A store with an image of 4 blocks, one block of no image, and two tags.
class Fsck : public testing::Test {
 protected:
  void SetUp() override {
    const UniqueFd folder = open_store_directory(dir_.path());
    Store store(folder.get(), dir_.path(), {});
    store.put_recipe(image_.name(), image_.recipe().serialize());
    for (std::size_t i = 0; i < 4; ++i) store.put(image_.recipe().leaves[i], image_.block(i));
    store.put(stray_.recipe().leaves[0], stray_.block(0));
    TagStore tags(folder.get(), dir_.path());
    tags.put(image_.name(), std::vector<std::byte>(40, std::byte{1}));
    tags.put(stray_.name(), std::vector<std::byte>(40, std::byte{2}));
  }
  void flip(const char* file, std::uint64_t at) const {
    std::fstream f(dir_.path() / file, std::ios::in | std::ios::out | std::ios::binary);
    f.seekg(static_cast<std::streamoff>(at));
    const char c = static_cast<char>(f.get() ^ 1);
    f.seekp(static_cast<std::streamoff>(at));
    f.put(c);
  }
  void cut(const char* file, std::uint64_t bytes) const {
    fs::resize_file(dir_.path() / file, fs::file_size(dir_.path() / file) - bytes);
  }
  std::uint64_t recipe_bytes() const { return image_.recipe().serialize().size(); }

  TestImage image_{4, 1}, stray_{1, 2};
  origin::TemporaryDirectory dir_;
};

TEST_F(Fsck, CountsWhatACleanStoreHolds) {
  const StoreReport r = check_store(dir_.path(), true);
  EXPECT_THAT(r.damage, IsEmpty());
  EXPECT_EQ(r.blocks, 5U);
  EXPECT_EQ(r.recipes, 1U);
  EXPECT_EQ(r.tags, 2U);
  EXPECT_EQ(r.images_whole, 1U);
  EXPECT_EQ(r.unreferenced_blocks, 1U);
  EXPECT_EQ(r.free_bytes, 0U);
  EXPECT_EQ(r.data_bytes, 5 * TestImage::kBlock + recipe_bytes());
}

TEST_F(Fsck, FindsEveryDamageAndRepairsIt) {
  struct Damage {
    const char* what;
    std::function<void()> apply;
    const char* says;
    std::uint64_t blocks_left, recipes_left, tags_left;
  };
  const std::uint64_t index_end = 64 + 6 * 56;
  const std::vector<Damage> damages{
      {"bit of a block", [&] { flip("blocks", recipe_bytes() + 2 * TestImage::kBlock + 77); },
       "is not what its name says", 4, 1, 2},
      {"bit of a recipe", [&] { flip("blocks", recipe_bytes() - 1); }, "recipe ", 5, 0, 2},
      {"blocks cut", [&] { cut("blocks", 1); }, "beyond the end", 4, 1, 2},
      {"blocks too long", [&] { std::ofstream(dir_.path() / "blocks", std::ios::app) << "more"; },
       "4 bytes that no record names", 5, 1, 2},
      {"index record", [&] { flip("blocks.index", 64 + 4 * 56 + 3); }, "no record at byte 288", 3,
       1, 2},
      {"index torn", [&] { cut("blocks.index", 5); }, "no record at byte 344", 4, 1, 2},
      {"index garbage",
       [&] { std::ofstream(dir_.path() / "blocks.index", std::ios::app) << "garbage"; },
       "7 bytes from there on", 5, 1, 2},
      {"tag", [&] { flip("tags", 80 + 50); }, "tags: no record at byte 80", 5, 1, 1},
      {"tag length", [&] { flip("tags", 35); }, "tags: no record at byte 0", 5, 1, 0},
  };
  EXPECT_EQ(fs::file_size(dir_.path() / "blocks.index"), index_end);
  for (const Damage& damage : damages) {
    SCOPED_TRACE(damage.what);
    fs::remove_all(dir_.path());
    SetUp();
    damage.apply();
    const StoreReport before = check_store(dir_.path(), true);
    EXPECT_THAT(before.damage, testing::Contains(HasSubstr(damage.says)));
    EXPECT_EQ(check_store(dir_.path(), true).damage, before.damage) << "it only reads";
    repair_store(dir_.path(), before);
    const StoreReport after = check_store(dir_.path(), true);
    EXPECT_THAT(after.damage, IsEmpty());
    EXPECT_EQ(after.blocks, damage.blocks_left);
    EXPECT_EQ(after.recipes, damage.recipes_left);
    EXPECT_EQ(after.tags, damage.tags_left);
  }
}

TEST_F(Fsck, QuickDoesNotHashBlocks) {
  flip("blocks", recipe_bytes() + 5);
  EXPECT_THAT(check_store(dir_.path(), false).damage, IsEmpty());
  EXPECT_THAT(check_store(dir_.path(), true).damage, testing::SizeIs(1));
}

TEST_F(Fsck, SaysWhenThereIsNoStoreOrItIsInUse) {
  const origin::TemporaryDirectory empty;
  EXPECT_THROW(check_store(empty.path(), true), InputError);
  EXPECT_THROW(check_store(empty.path() / "not there", true), InputError);
  EXPECT_THAT(fs::is_empty(empty.path()), true) << "none is made";
  const Store store(dir_.path(), {});
  EXPECT_THROW(check_store(dir_.path(), true), RunError);
}

TEST_F(Fsck, GarbageIsWhatNoImageNeedsAndWhatIsOverTheLimit) {
  {
    Store store(dir_.path(), {});
    const Collected c = collect_garbage(store, 0, kEvictLru);
    EXPECT_EQ(c.unreferenced_blocks, 1U);
    EXPECT_EQ(c.evicted, 0U);
    EXPECT_EQ(c.bytes_before - c.bytes_after, TestImage::kBlock + 56U);
    EXPECT_FALSE(store.contains(stray_.recipe().leaves[0]));
  }
  EXPECT_EQ(check_store(dir_.path(), true).images_whole, 1U);
  Store store(dir_.path(), {});
  const std::uint64_t limit = 2 * TestImage::kBlock + 4096;
  const Collected c = collect_garbage(store, limit, kEvictLru);
  EXPECT_EQ(c.evicted, 2U);
  EXPECT_LE(c.bytes_after, limit);
  EXPECT_TRUE(store.contains(image_.recipe().leaves[0])) << "the end of an image goes first";
  EXPECT_TRUE(store.contains(image_.recipe().leaves[1]));
  EXPECT_TRUE(store.contains_recipe(image_.name()));
}

}  // namespace
}  // namespace missive::cache
