#include "real/cache/tag_store.h"

#include <fstream>

#include <gtest/gtest.h>

#include "models/error.h"
#include "real/cache/store.h"
#include "real/origin/test_image.h"

namespace missive::cache {
namespace {

using origin::TemporaryDirectory;

zar::Digest key(int i) {
  zar::Digest d;
  d.bytes[0] = static_cast<std::byte>(i & 0xff);
  d.bytes[1] = static_cast<std::byte>(i >> 8);
  return d;
}
TagStore::Value value(std::size_t size, int fill) {
  return TagStore::Value(size, static_cast<std::byte>(fill));
}

class Tags : public testing::Test {
 protected:
  std::filesystem::path file() const { return dir_.path() / "tags"; }
  TagStore open() const { return TagStore(fd_.get(), "test"); }

  TemporaryDirectory dir_;
  UniqueFd fd_ = open_store_directory(dir_.path());
};

TEST_F(Tags, LastValueWinsAndSurvivesReopening) {
  {
    TagStore tags = open();
    EXPECT_FALSE(tags.get(key(1)));
    tags.put(key(1), value(10, 1));
    tags.put(key(2), value(0, 0));
    tags.put(key(1), value(20, 2));
  }
  const TagStore tags = open();
  EXPECT_EQ(tags.get(key(1)), value(20, 2));
  EXPECT_EQ(tags.get(key(2)), value(0, 0));
  EXPECT_EQ(tags.size(), 2U);
}

TEST_F(Tags, AreBoundedInSizeNumberAndFile) {
  TagStore tags = open();
  EXPECT_THROW(tags.put(key(1), value(kMaxTagBytes + 1, 1)), InputError);
  for (int i = 0; i < 1500; ++i) tags.put(key(i), value(kMaxTagBytes, i));
  EXPECT_EQ(tags.size(), kMaxTags);
  EXPECT_FALSE(tags.get(key(0))) << "the oldest went";
  EXPECT_EQ(tags.get(key(1499)), value(kMaxTagBytes, 1499));
  for (int i = 0; i < 1000; ++i) tags.put(key(1499), value(kMaxTagBytes, i));
  const std::uint64_t most = 2 * kMaxTags * (kMaxTagBytes + 40) + 1024 * 1024 + kMaxTagBytes + 40;
  EXPECT_LE(std::filesystem::file_size(file()), most);
  const TagStore again = open();
  EXPECT_EQ(again.size(), kMaxTags);
  EXPECT_EQ(again.get(key(1499)), value(kMaxTagBytes, 999));
}

TEST_F(Tags, DropATornTail) {
  {
    TagStore tags = open();
    tags.put(key(1), value(100, 1));
    tags.put(key(2), value(100, 2));
  }
  std::filesystem::resize_file(file(), 2 * 140 - 1);
  {
    TagStore tags = open();
    EXPECT_EQ(tags.get(key(1)), value(100, 1));
    EXPECT_FALSE(tags.get(key(2)));
    tags.put(key(3), value(100, 3));
  }
  std::ofstream(file(), std::ios::app) << std::string(1000, '\xff');
  const TagStore tags = open();
  EXPECT_EQ(tags.size(), 2U);
  EXPECT_EQ(std::filesystem::file_size(file()), 280U);
}

TEST_F(Tags, ComeBackFromASnapshot) {
  TagStore tags = open();
  tags.put(key(1), value(10, 1));
  const auto before = tags.snapshot();
  tags.put(key(1), value(10, 9));
  tags.put(key(2), value(10, 2));
  tags.restore(before);
  EXPECT_EQ(tags.get(key(1)), value(10, 1));
  EXPECT_FALSE(tags.get(key(2)));
  EXPECT_EQ(open().size(), 1U);
}

TEST_F(Tags, BlockTagsAreBoundedByTheirImage) {
  EXPECT_EQ(most_block_tag_bytes(1600), 4096U + 16 * 1600);
  EXPECT_EQ(most_block_tag_bytes(~std::uint64_t{0}), kMaxTagStoreBytes / 4);
  EXPECT_NE(block_tags_key(key(1)), key(1)) << "apart from what launchers put";
  EXPECT_NE(block_tags_key(key(1)), block_tags_key(key(2)));
  const std::uint64_t limit = most_block_tag_bytes(1600);
  {
    TagStore tags = open();
    EXPECT_THROW(tags.put(key(1), value(limit + 1, 1), limit), InputError);
    tags.put(key(1), value(limit, 1), limit);
  }
  EXPECT_EQ(open().get(key(1)), value(limit, 1)) << "and it survives";
}

TEST_F(Tags, TogetherTheyAreBoundedAndTheOldestGoes) {
  const std::uint64_t big = kMaxTagStoreBytes / 4;
  {
    TagStore tags = open();
    for (int i = 0; i < 5; ++i) tags.put(key(i), value(big, i), big);
    EXPECT_EQ(tags.size(), 3U) << "four and their keys are a little too much";
    EXPECT_FALSE(tags.get(key(1)));
    EXPECT_EQ(tags.get(key(4)), value(big, 4));
  }
  EXPECT_EQ(open().size(), 3U);
}

TEST_F(Tags, ALengthBeyondTheFileTakesNoMemory) {
  { open().put(key(1), value(10, 1)); }
  {
    std::fstream out(file(), std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(32);
    const char length[] = {0, 0, 0, 3};  // 48 MiB
    out.write(length, sizeof length);
  }
  EXPECT_EQ(open().size(), 0U);
  EXPECT_EQ(std::filesystem::file_size(file()), 0U);
}

}  // namespace
}  // namespace missive::cache
