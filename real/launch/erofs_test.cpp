// The EROFS view of an image: what an image may hold that the probe's own tree does not, and what
// the delivery leaves behind.

#include <map>
#include <random>

#include <gmock/gmock.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "real/cache/seals.h"
#include "real/launch/erofs_view.h"
#include "real/launch/loop_device.h"
#include "real/launch/probe_testing.h"
#include "real/launch/sealed_memory.h"
#include "real/process.h"

namespace missive::launch {
namespace {

using namespace missive::launch::testing;
using ::testing::HasSubstr;

std::string noise(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(bytes, 0);
  for (char& c : text) c = static_cast<char>(random() | 1);  // never zero
  return text;
}

// Files of all sizes around a page, sparse ones, links of both kinds, a directory of several
// blocks, names of greatest length.
void make_odd_tree(const fs::path& tree) {
  for (const std::size_t size : {1, 63, 4031, 4032, 4033, 4095, 4096, 4097, 8191, 8192, 70'000})
    put(tree / "size" / std::to_string(size), noise(size, static_cast<unsigned>(size)));
  put(tree / "sparse", "");
  fs::resize_file(tree / "sparse", 200'000);
  const UniqueFd sparse(::open((tree / "sparse").c_str(), O_WRONLY | O_CLOEXEC));
  const std::string part = noise(10'000, 7);
  ASSERT_EQ(::pwrite(sparse.get(), part.data(), part.size(), 65536), 10'000);
  fs::create_hard_link(tree / "size/70000", tree / "hard");
  fs::create_symlink(std::string(4000, 'l'), tree / "long-link");
  fs::create_symlink(std::string(4095, 'm'), tree / "longest-link");
  for (int i = 0; i < 500; ++i) put(tree / "many" / ("-" + std::to_string(i)), std::to_string(i));
  put(tree / "many" / std::string(255, 'n'), "long name");
  put(tree / "many" / "\xff\xfe", "no UTF-8");
  fs::create_directories(tree / "nothing");
}

class ErofsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = erofs_unavailable(); !why.empty())
      GTEST_SKIP() << "erofs is not available here: " << why;
    make_odd_tree(tree());
  }
  fs::path tree() const { return directory_.path() / "tree"; }
  UniqueFd deliver(const zar::Selection& selection, const std::string& packing) {
    const fs::path file = directory_.path() / "image";
    zar::BuildOptions options;
    options.packing = packing;
    zar::build(tree(), selection, options, file);
    const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    memory_ = Mapping::read_only(fd.get(), fs::file_size(file), "image");
    image_.emplace(zar::Image::open(memory_.bytes(), "image"));
    method_ = make_erofs_delivery();
    return method_->deliver(*image_, nullptr);
  }
  static fs::path at(const UniqueFd& root) {
    return "/proc/self/fd/" + std::to_string(root.get()) + "/";
  }

  TemporaryDirectory directory_;
  Mapping memory_;
  std::optional<zar::Image> image_;
  std::unique_ptr<Delivery> method_;
};

TEST_F(ErofsTest, WhateverAnImageHoldsIsThereHoweverItIsPacked) {
  for (const char* packing : {"path", "page", "greedy"}) {
    const UniqueFd root = deliver({}, packing);
    const auto seen = inventory(at(root)), expected = inventory(tree());
    EXPECT_GT(expected.size(), 500u);
    std::vector<std::string> missing, more;
    std::ranges::set_difference(expected, seen, std::back_inserter(missing));
    std::ranges::set_difference(seen, expected, std::back_inserter(more));
    EXPECT_TRUE(missing.empty()) << packing << ": " << missing.front().substr(0, 200);
    // Beyond the tree there are only mount points that every image has.
    for (const std::string& line : more) EXPECT_TRUE(line.ends_with(' ')) << line.substr(0, 200);
  }
}

// A mapping shows the whole last page. Where images pack small files into the ends of others, what
// follows must not be theirs.
TEST_F(ErofsTest, BehindTheEndOfAFileThereAreZeros) {
  for (const char* packing : {"path", "greedy"}) {
    const UniqueFd root = deliver({}, packing);
    for (const auto& each : fs::directory_iterator(at(root) / "size")) {
      const std::size_t size = each.file_size(), pages = (size + 4095) / 4096 * 4096;
      const UniqueFd file(::open(each.path().c_str(), O_RDONLY | O_CLOEXEC));
      const Mapping mapping = Mapping::read_only(file.get(), pages, "file");
      for (std::size_t i = size; i < pages; ++i)
        ASSERT_EQ(mapping.bytes()[i], std::byte{0}) << each.path() << " " << packing;
    }
  }
}

TEST_F(ErofsTest, AHardLinkIsTheSameFile) {
  const UniqueFd root = deliver({}, "path");
  EXPECT_TRUE(fs::equivalent(at(root) / "hard", at(root) / "size/70000"));
  EXPECT_EQ(fs::hard_link_count(at(root) / "hard"), 2u);
}

TEST_F(ErofsTest, AFileThatIsNotAllThereIsRefused) {
  zar::Selection some;
  some.files = {"/size/70000"};
  some.runs = {{"/size/70000", 2, 1}};
  some.touched_only = true;
  try {
    deliver(some, "path");
    FAIL() << "delivered";
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("/size/70000: a partial file"));
  }
}

// Who is root of a user namespace alone is told before anything is tried.
TEST_F(ErofsTest, InAUserNamespaceItSaysWhyNot) {
  const std::string said = run_in_child(
      [] {
        if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return std::string("no namespaces");
        return erofs_unavailable();
      },
      std::chrono::seconds(10), "probe");
  if (said == "no namespaces") GTEST_SKIP() << "no user namespaces here";
  EXPECT_THAT(said, HasSubstr("needs root of the host"));
}

// What the loop devices of this host are over.
std::string backing_files() {
  std::string all;
  for (const auto& each : fs::directory_iterator("/sys/block")) {
    std::ifstream in(each.path() / "loop/backing_file");
    for (std::string line; std::getline(in, line);) all += line + "\n";
  }
  return all;
}

// Settings of the host's loop devices, which outlive whatever they are over.
std::map<std::string, std::string> read_aheads() {
  std::map<std::string, std::string> all;
  for (const auto& each : fs::directory_iterator("/sys/block")) {
    const std::string name = each.path().filename();
    std::ifstream in(each.path() / "queue/read_ahead_kb");
    if (name.starts_with("loop")) std::getline(in, all[name]);
  }
  return all;
}

TEST_F(ErofsTest, ALoopDeviceGoesWithItsOwner) {
  const auto before = read_aheads();
  const std::string token = new_token();
  const UniqueFd file = sealed_file_of(std::vector<std::byte>(8192), token);
  {
    const LoopDevice device = LoopDevice::over(file.get(), "test");
    EXPECT_THAT(backing_files(), HasSubstr(token));
    const UniqueFd again(::open(device.path().c_str(), O_RDONLY | O_CLOEXEC));
    int read_only = 0;
    ASSERT_EQ(::ioctl(again.get(), BLKROGET, &read_only), 0);
    EXPECT_EQ(read_only, 1);
  }
  // Closing a block device is completed by a work queue of the kernel.
  for (int i = 0; i < 1000 && backing_files().find(token) != std::string::npos; ++i) ::usleep(5000);
  EXPECT_EQ(backing_files().find(token), std::string::npos);
  const auto after = read_aheads();
  for (const auto& [name, kilobytes] : before) EXPECT_EQ(after.at(name), kilobytes) << name;
}

TEST_F(ErofsTest, TheMemoryFileBehindAMappingIsFoundOnlyWhenItCannotChange) {
  const std::vector<std::byte> bytes(8192, std::byte{7});
  const UniqueFd sealed = sealed_file_of(bytes, "image");
  const Mapping mapping = Mapping::read_only(sealed.get(), bytes.size(), "image");
  const UniqueFd found = sealed_file_behind(mapping.bytes());
  struct stat a {
  }, b{};
  ASSERT_EQ(::fstat(sealed.get(), &a), 0);
  ASSERT_EQ(::fstat(found.get(), &b), 0);
  EXPECT_EQ(a.st_ino, b.st_ino);
  EXPECT_EQ(a.st_dev, b.st_dev);
  EXPECT_FALSE(sealed_file_behind(mapping.bytes().subspan(4096)));
  EXPECT_FALSE(sealed_file_behind(mapping.bytes().first(4096))) << "not all of the file";

  const Mapping copied = Mapping::anonymous(bytes.size(), "image");
  EXPECT_FALSE(sealed_file_behind(copied.bytes()));
  const UniqueFd open(::memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  ASSERT_EQ(::ftruncate(open.get(), 8192), 0);
  const Mapping writable = Mapping::read_only(open.get(), 8192, "image");
  EXPECT_FALSE(sealed_file_behind(writable.bytes()));
}

}  // namespace
}  // namespace missive::launch
