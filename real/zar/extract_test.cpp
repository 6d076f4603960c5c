#include "real/zar/extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "models/error.h"
#include "real/zar/builder.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

namespace fs = std::filesystem;

class ExtractTest : public testing::Test {
 protected:
  void SetUp() override {
    put_sample(tree());
    fs::permissions(tree() / "usr/bin/program", fs::perms{0755});
    fs::permissions(tree() / "etc/b.conf", fs::perms{0400});
    fs::permissions(tree() / "usr/share", fs::perms{0555});
    build(tree(), {}, {}, dir_.path() / "image");
    bytes_ = read_file(dir_.path() / "image");
    fs::create_directory(to());
  }
  void TearDown() override {
    for (const auto& t : {tree(), to()})
      if (fs::exists(t / "usr/share")) fs::permissions(t / "usr/share", fs::perms{0755});
  }
  fs::path tree() const { return dir_.path() / "tree"; }
  fs::path to() const { return dir_.path() / "to"; }
  Image image() const { return Image::open(bytes_, "image"); }

  TemporaryDirectory dir_;
  std::vector<std::byte> bytes_;
};

struct stat lstat_of(const fs::path& path) {
  struct stat st {};
  EXPECT_EQ(::lstat(path.c_str(), &st), 0) << path;
  return st;
}

TEST_F(ExtractTest, TheTreeComesBackAsItWas) {
  const Extracted done = extract(image(), to());
  EXPECT_EQ(done.files, 9u);
  EXPECT_EQ(done.symlinks, 2u);
  EXPECT_EQ(done.bytes, 6u + 3000 + 1500 + 5000 + 4096 + 200'000 + 65'536 + 3);
  std::size_t compared = 0;
  for (const auto& e : fs::recursive_directory_iterator(tree())) {
    const fs::path copy = to() / fs::relative(e.path().parent_path(), tree()) / e.path().filename();
    if (e.is_symlink()) {
      EXPECT_EQ(fs::read_symlink(copy), fs::read_symlink(e.path()));
      continue;
    }
    const auto a = lstat_of(e.path()), b = lstat_of(copy);
    EXPECT_EQ(a.st_mode, b.st_mode) << copy;
    EXPECT_EQ(a.st_mtim.tv_sec, b.st_mtim.tv_sec) << copy;
    EXPECT_EQ(a.st_mtim.tv_nsec, b.st_mtim.tv_nsec) << copy;
    if (e.is_regular_file()) {
      EXPECT_TRUE(read_file(copy) == read_file(e.path())) << copy;
    }
    ++compared;
  }
  EXPECT_GT(compared, 12u);
}

TEST_F(ExtractTest, RebuildingFromTheExtractedTreeGivesTheSameImage) {
  extract(image(), to());
  build(to(), {}, {}, dir_.path() / "again");
  EXPECT_TRUE(read_file(dir_.path() / "again") == bytes_);
}

TEST_F(ExtractTest, ALinkPlantedInTheDirectoryIsNoWayOut) {
  fs::create_directory(dir_.path() / "outside");
  fs::create_directory_symlink(dir_.path() / "outside", to() / "etc");
  EXPECT_THROW(extract(image(), to()), RunError);
  EXPECT_TRUE(fs::is_empty(dir_.path() / "outside"));
}

TEST_F(ExtractTest, ALinkPlantedInPlaceOfAFileIsNotWrittenThrough) {
  fs::create_directory(to() / "etc");
  fs::create_symlink(dir_.path() / "victim", to() / "etc/a.conf");
  EXPECT_THROW(extract(image(), to()), RunError);
  EXPECT_FALSE(fs::exists(dir_.path() / "victim"));
}

TEST_F(ExtractTest, AnExistingFileIsNotOverwrittenAndIsNamed) {
  put(to(), "/etc/a.conf", "mine");
  try {
    extract(image(), to());
    FAIL();
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("/etc/a.conf"));
  }
  EXPECT_EQ(as_text(read_file(to() / "etc/a.conf")), "mine");
}

TEST_F(ExtractTest, TimesBeforeTheEpochSurvive) {
  set_time(tree() / "etc/a.conf", -5, 250'000'000);
  build(tree(), {}, {}, dir_.path() / "image");
  bytes_ = read_file(dir_.path() / "image");
  extract(image(), to());
  EXPECT_EQ(lstat_of(to() / "etc/a.conf").st_mtim.tv_sec, -5);
  EXPECT_EQ(lstat_of(to() / "etc/a.conf").st_mtim.tv_nsec, 250'000'000);
}

TEST_F(ExtractTest, HardLinksHolesAndAttributesComeBack) {
  fs::create_hard_link(tree() / "usr/bin/program", tree() / "aaa");
  put(tree(), "/sparse", "begin");
  fs::resize_file(tree() / "sparse", 500'000);
  const bool attributes = ::setxattr((tree() / "etc/a.conf").c_str(), "user.k", "value", 5, 0) == 0;
  fix_times(tree());
  build(tree(), {}, {}, dir_.path() / "image");
  bytes_ = read_file(dir_.path() / "image");
  extract(image(), to());
  EXPECT_EQ(lstat_of(to() / "aaa").st_ino, lstat_of(to() / "usr/bin/program").st_ino);
  EXPECT_TRUE(read_file(to() / "sparse") == read_file(tree() / "sparse"));
  EXPECT_EQ(lstat_of(to() / "sparse").st_blocks, lstat_of(tree() / "sparse").st_blocks);
  if (attributes) {
    char value[8] = {};
    EXPECT_EQ(::getxattr((to() / "etc/a.conf").c_str(), "user.k", value, sizeof value), 5);
    EXPECT_STREQ(value, "value");
  }
  build(to(), {}, {}, dir_.path() / "again");
  EXPECT_TRUE(read_file(dir_.path() / "again") == bytes_);
}

TEST_F(ExtractTest, ResumingFinishesWhatWasInterrupted) {
  extract(image(), to());
  fs::permissions(to() / "usr/share", fs::perms{0755});
  fs::remove(to() / "etc/b.conf");
  fs::remove(to() / "lib");
  { std::ofstream(to() / "etc/c.conf") << "half"; }
  EXPECT_THROW(extract(image(), to()), RunError);
  const Extracted done = extract(image(), to(), {.resume = true, .partial = false});
  EXPECT_EQ(done.files, 9u);
  EXPECT_EQ(done.kept, 7u);
  build(to(), {}, {}, dir_.path() / "again");
  EXPECT_TRUE(read_file(dir_.path() / "again") == bytes_);
}

TEST_F(ExtractTest, PartialFilesAreAnErrorUnlessAskedFor) {
  Selection s;
  s.files = {"/usr/lib/libbig.so.1"};
  s.runs = {{"/usr/lib/libbig.so.1", 3, 2}};
  s.touched_only = true;
  build(tree(), s, {}, dir_.path() / "image");
  bytes_ = read_file(dir_.path() / "image");
  try {
    extract(image(), to());
    FAIL();
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("libbig.so.1"));
  }
  fs::create_directory(dir_.path() / "parts");
  extract(image(), dir_.path() / "parts", {.resume = false, .partial = true});
  const auto whole = read_file(tree() / "usr/lib/libbig.so.1");
  auto expected = std::vector<std::byte>(whole.size());
  std::copy(whole.begin() + 3 * 4096, whole.begin() + 5 * 4096, expected.begin() + 3 * 4096);
  EXPECT_TRUE(read_file(dir_.path() / "parts/usr/lib/libbig.so.1") == expected);
}

TEST_F(ExtractTest, AMissingDirectoryIsAnError) {
  EXPECT_THROW(extract(image(), dir_.path() / "none"), RunError);
}

}  // namespace
}  // namespace missive::zar
