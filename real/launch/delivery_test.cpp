// All deliveries give the files of the image and nothing else. Read through the detached mount,
// from this process.

#include "real/launch/delivery.h"

#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <sys/mman.h>

#include "real/launch/ahead.h"
#include "real/launch/launch_runs.h"
#include "real/launch/probe_testing.h"

namespace missive::launch {
namespace {

using namespace missive::launch::testing;
using ::testing::ElementsAre;
using ::testing::IsSupersetOf;

class DeliveryTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const std::string why = delivery(GetParam()).unavailable();
    if (!why.empty()) GTEST_SKIP() << GetParam() << " is not available here: " << why;
    method_ = delivery(GetParam()).make();
    root_ = method_->deliver(image(), &delivered_);
  }
  const zar::Image& image() const { return ProbeImage::get().image(); }
  fs::path at(const std::string& path) const {
    return "/proc/self/fd/" + std::to_string(root_.get()) + path;
  }
  UniqueFd open(const std::string& path, int flags = O_RDONLY) const {
    return UniqueFd(::openat(root_.get(), ("." + path).c_str(), flags | O_CLOEXEC));
  }

  std::unique_ptr<Delivery> method_;
  UniqueFd root_;
  Delivered delivered_;
};

TEST_P(DeliveryTest, EveryFileLinkAndDirectoryEqualsTheTreesOwn) {
  const auto seen = inventory(at("/"));
  const auto expected = inventory(ProbeImage::get().tree());
  EXPECT_GT(expected.size(), 210u);
  EXPECT_THAT(seen, IsSupersetOf(expected));
  // Beyond the tree there are only mount points that every image has.
  for (const std::string& line : seen) {
    if (!expected.contains(line)) {
      EXPECT_TRUE(line.ends_with(' ')) << line;
    }
  }
}

TEST_P(DeliveryTest, AmountsFollowFromTheImage) {
  std::uint64_t files = 0, bytes = 0;
  for (const zar::Entry& entry : image().entries()) {
    if (entry.kind != zar::EntryKind::file) continue;
    ++files;
    bytes += entry.size;
  }
  EXPECT_EQ(delivered_.files, files);
  EXPECT_EQ(delivered_.bytes,
            std::string(GetParam()) == "extract" ? bytes : launch_run_bytes(image()));
}

TEST_P(DeliveryTest, NothingCanBeWrittenOrRemoved) {
  EXPECT_LT(open("/new", O_WRONLY | O_CREAT).get(), 0);
  EXPECT_EQ(errno, EROFS);
  EXPECT_LT(open("/data/large", O_WRONLY).get(), 0);
  EXPECT_EQ(errno, EROFS);
  EXPECT_LT(::unlinkat(root_.get(), "data/large", 0), 0);
  EXPECT_EQ(errno, EROFS);
  EXPECT_LT(::mkdirat(root_.get(), "new", 0755), 0);
  EXPECT_EQ(errno, EROFS);
}

TEST_P(DeliveryTest, AbsentNamesAreAbsentAgainAndAgain) {
  for (int i = 0; i < 3; ++i) {
    for (const char* name : {"./absent", "./data/absent", "./data/large/absent", "./data/dangling",
                             "./data/many/200", "./data/many/"}) {
      const bool there = ::faccessat(root_.get(), name, F_OK, 0) == 0;
      EXPECT_EQ(there, std::string(name) == "./data/many/") << name;
    }
    EXPECT_EQ(::faccessat(root_.get(), std::string(300, 'x').c_str(), F_OK, 0), -1);
    EXPECT_EQ(errno, ENAMETOOLONG);
  }
}

TEST_P(DeliveryTest, TimesAndSizesAreTheImagesOwn) {
  for (const zar::Entry& entry : image().entries()) {
    struct stat status {};
    const std::string path = "." + std::string(entry.path);
    ASSERT_EQ(::fstatat(root_.get(), path.c_str(), &status, AT_SYMLINK_NOFOLLOW), 0) << path;
    if (entry.kind != zar::EntryKind::file) continue;
    EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), entry.size) << path;
    EXPECT_EQ(status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec, entry.mtime_ns)
        << path;
  }
}

// Random reads and mappings by several threads at once, inside and outside the launch runs, across
// pages and past the end.
TEST_P(DeliveryTest, SurvivesRandomReadsFromManyThreads) {
  const auto expected = image().content(image().entries()[image().find("/data/large").value()]);
  const auto reader = [&](unsigned seed) {
    std::mt19937 random(seed);
    const UniqueFd file = open("/data/large");
    std::vector<std::byte> part(70'000);
    for (int i = 0; i < 300; ++i) {
      const std::size_t offset = random() % (expected.size() + 5000);
      const std::size_t want = random() % part.size();
      const ssize_t got = ::pread(file.get(), part.data(), want, static_cast<off_t>(offset));
      const std::size_t right =
          offset >= expected.size() ? 0 : std::min(want, expected.size() - offset);
      ASSERT_EQ(got, static_cast<ssize_t>(right));
      ASSERT_TRUE(std::equal(
          part.begin(), part.begin() + got,
          expected.begin() + static_cast<std::ptrdiff_t>(std::min(offset, expected.size()))));
    }
    const Mapping whole = Mapping::read_only(file.get(), expected.size(), "large");
    for (int i = 0; i < 300; ++i) {
      const std::size_t offset = random() % expected.size();
      ASSERT_EQ(whole.bytes()[offset], expected[offset]);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned seed = 1; seed <= 4; ++seed) threads.emplace_back(reader, seed);
  for (std::thread& each : threads) each.join();
}

TEST_P(DeliveryTest, PathsThatClimbStayInside) {
  struct stat inside {
  }, above{};
  ASSERT_EQ(::fstatat(root_.get(), "data/../../../..", &above, 0), 0);
  ASSERT_EQ(::fstatat(root_.get(), ".", &inside, 0), 0);
  EXPECT_EQ(inside.st_ino, above.st_ino);
  EXPECT_EQ(inside.st_dev, above.st_dev);
}

TEST_P(DeliveryTest, IsNotSeenInTheHostsMountTable) {
  std::ifstream in("/proc/self/mountinfo");
  const std::string mounts{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(mounts.find("missive-sim"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Deliveries, DeliveryTest, ::testing::Values("extract", "fuse", "erofs"),
                         [](const auto& tested) { return std::string(tested.param); });

class FuseTest : public ::testing::Test {
 protected:
  void SetUp() override { MISSIVE_NEEDS_FUSE(); }
};

TEST_F(FuseTest, LaunchRunsAreReadWithoutAsking) {
  const auto method = make_fuse_delivery();
  const zar::Image& image = ProbeImage::get().image();
  const UniqueFd root = method->deliver(image, nullptr);
  const Served before = method->served();
  EXPECT_EQ(before.reads, 0u);
  for (const CoalescedRun& run : coalesced_runs(image)) {
    const zar::Entry& entry = image.entries()[run.entry];
    const UniqueFd file(
        ::openat(root.get(), ("." + std::string(entry.path)).c_str(), O_RDONLY | O_CLOEXEC));
    // mincore(2) instead of reading, which would start read-ahead beyond the run.
    const Mapping mapping = Mapping::read_only(file.get(), entry.size, "file");
    std::vector<unsigned char> resident((entry.size + 4095) / 4096);
    ASSERT_EQ(
        ::mincore(const_cast<std::byte*>(mapping.bytes().data()), entry.size, resident.data()), 0);
    for (std::uint64_t page = run.offset / 4096; page * 4096 < run.offset + run.bytes; ++page) {
      EXPECT_EQ(resident[page] & 1, 1) << entry.path << " page " << page;
    }
  }
  const Served after = method->served();
  EXPECT_EQ(after.reads, 0u);
  EXPECT_EQ(after.lookups, before.lookups);
}

// A copy of the probe's image, served lazily.
class LazyTest : public FuseTest {
 protected:
  void SetUp() override {
    FuseTest::SetUp();
    const auto data = ProbeImage::get().image().data();
    memory_ = Mapping::anonymous(data.size(), "image");
    std::ranges::copy(data, memory_.writable().begin());
    recipe_ = zar::make_recipe(data, ProbeImage::get().image().block_size(),
                               ProbeImage::get().image().degree());
    expected_ = {recipe_.name(), recipe_.shape, "probe", 1};
  }
  void open() {
    blocks_ = verify::BlockVerifier::by_tree(memory_.bytes(), expected_, recipe_.serialize());
    blocks_->require(0, zar::Image::opened_bytes(memory_.bytes(), "image"));
    front_ = blocks_->accepted_blocks();
    image_.emplace(zar::Image::open(memory_.bytes(), "image"));
    method_ = make_fuse_delivery();
    root_ = method_->deliver_lazily(*image_, *blocks_, nullptr);
  }
  UniqueFd file(const char* path) const {
    return UniqueFd(::openat(root_.get(), path, O_RDONLY | O_CLOEXEC));
  }
  std::uint64_t block_of(const char* path) const {
    return image_->entries()[image_->find(path).value()].offset / image_->block_size();
  }

  Mapping memory_;
  zar::Recipe recipe_;
  verify::Expected expected_;
  std::unique_ptr<verify::BlockVerifier> blocks_;
  std::uint64_t front_ = 0;
  std::optional<zar::Image> image_;
  std::unique_ptr<Delivery> method_;
  UniqueFd root_;
};

TEST_F(LazyTest, FilesAreThoseOfTheTreeAndEachBlockIsVerifiedWhenRead) {
  open();
  EXPECT_EQ(blocks_->accepted_blocks(), front_) << "delivering looks at no content";
  EXPECT_EQ(front_, blocks_at_start(*image_).front);
  char byte = 0;
  ASSERT_EQ(::pread(file("data/large").get(), &byte, 1, 0), 1);
  EXPECT_TRUE(blocks_->accepted(block_of("/data/large")));
  EXPECT_LT(blocks_->accepted_blocks(), recipe_.shape.blocks());
  for (const zar::Entry& entry : image_->entries()) {
    if (entry.kind != zar::EntryKind::file) continue;
    std::vector<std::byte> all(entry.size + 1);
    ASSERT_EQ(
        ::pread(file(("." + std::string(entry.path)).c_str()).get(), all.data(), all.size(), 0),
        static_cast<ssize_t>(entry.size))
        << entry.path;
    all.pop_back();
    EXPECT_TRUE(std::ranges::equal(all, ProbeImage::get().image().content(entry))) << entry.path;
  }
}

TEST_F(LazyTest, WhatIsPutAheadIsVerifiedBeforeAndInAmountsKnownBeforehand) {
  open();
  EXPECT_EQ(method_->put_ahead({}), launch_run_bytes(*image_));
  const auto start = blocks_at_start(*image_);
  EXPECT_EQ(blocks_->accepted_blocks(), start.front + start.runs);
  const Served before = method_->served();
  std::vector<std::byte> part(8 * 4096);
  ASSERT_EQ(::pread(file("data/large").get(), part.data(), part.size(), 12 * 4096L),
            static_cast<ssize_t>(part.size()));
  EXPECT_EQ(method_->served().reads, before.reads) << "it was there";
}

TEST_F(LazyTest, ABlockThatIsRefusedIsAnErrorAndNeverBytes) {
  open();
  memory_.writable()[block_of("/data/large") * image_->block_size() + 5] ^= std::byte{1};
  int told = 0;
  blocks_->on_failure([&] { ++told; });
  char byte = 0;
  errno = 0;
  EXPECT_EQ(::pread(file("data/large").get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, EIO);
  EXPECT_EQ(told, 1);
  EXPECT_THROW(method_->put_ahead({}), RunError);
}

TEST_F(LazyTest, StoppedItPutsNoMoreAhead) {
  open();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(method_->put_ahead(stop.get_token()), 0u);
}

TEST_F(FuseTest, RunsByTouchAreTheSamePagesInTheStartsOwnOrder) {
  const zar::Image& image = ProbeImage::get().image();
  const auto touched = runs_by_touch(image);
  ASSERT_FALSE(touched.empty());
  EXPECT_EQ(touched.front().entry, image.launch_runs().front().entry);
  std::uint64_t bytes = 0;
  std::set<std::pair<std::uint32_t, std::uint64_t>> pages;
  for (const CoalescedRun& run : touched) {
    bytes += run.bytes;
    EXPECT_EQ(run.offset / 65536, (run.offset + run.bytes - 1) / 65536) << "one window";
    for (std::uint64_t at = run.offset; at < run.offset + run.bytes; at += 4096)
      EXPECT_TRUE(pages.insert({run.entry, at / 4096}).second) << "twice";
  }
  EXPECT_EQ(bytes, launch_run_bytes(image));
  // Pages 3..22 and 10..49 of one file, recorded one after the other: in windows of 16 pages.
  std::vector<std::uint64_t> large;
  for (const CoalescedRun& run : touched)
    if (image.entries()[run.entry].path == "/data/large") large.push_back(run.offset / 4096);
  EXPECT_THAT(large, ElementsAre(3, 16, 32, 48));
  for (const CoalescedRun& run : coalesced_runs(image))
    for (std::uint64_t at = run.offset; at < run.offset + run.bytes; at += 4096)
      EXPECT_TRUE(pages.contains({run.entry, at / 4096}));
}

TEST_F(FuseTest, FilesOpenWhenTheServerEndsGiveAnErrorNotAHang) {
  auto method = make_fuse_delivery();
  const UniqueFd root = method->deliver(ProbeImage::get().image(), nullptr);
  const UniqueFd file(::openat(root.get(), "./data/many/9", O_RDONLY | O_CLOEXEC));
  ASSERT_TRUE(static_cast<bool>(file));
  method.reset();
  char byte = 0;
  EXPECT_EQ(::pread(file.get(), &byte, 1, 0), -1);
  EXPECT_EQ(::openat(root.get(), "./data/many/10", O_RDONLY | O_CLOEXEC), -1);
}

TEST_F(FuseTest, AServerThatNeverGotAnImageEndsQuietly) {
  for (int i = 0; i < 20; ++i) make_fuse_delivery();
}

TEST(Deliveries, UnknownNameIsAnInputError) {
  EXPECT_THROW(delivery("nfs"), InputError);
  for (const DeliveryInfo& each : deliveries()) EXPECT_EQ(&delivery(each.name), &each);
}

TEST(CoalescedRuns, OverlapsMergeAndEndsAreClipped) {
  const zar::Image& image = ProbeImage::get().image();
  std::vector<std::string> seen;
  for (const CoalescedRun& run : coalesced_runs(image)) {
    seen.push_back(std::string(image.entries()[run.entry].path) + " " +
                   std::to_string(run.offset / 4096) + " " + std::to_string(run.bytes));
  }
  // Pages 3..22 and 10..49 of /data/large (300001 bytes, 74 pages).
  EXPECT_THAT(seen, ElementsAre("/data/large 3 " + std::to_string(47 * 4096), "/data/page 0 4096",
                                "/probe 0 65536"));
  EXPECT_EQ(launch_run_bytes(image), 47u * 4096 + 4096 + 65536);
}

TEST(PlanAhead, ListsTheWayToEachRunAndTheLinksToThem) {
  const zar::Image& image = ProbeImage::get().image();
  const ImageTree tree(image);
  const Ahead ahead = plan_ahead(tree);
  std::vector<std::string> directories, links;
  for (const auto index : ahead.ways.directories) {
    directories.emplace_back(image.entries()[index].path);
  }
  for (const auto index : ahead.ways.links) links.emplace_back(image.entries()[index.link].path);
  EXPECT_THAT(directories, ElementsAre("/", "/data"));
  EXPECT_THAT(links, ElementsAre("/data/link"));
  ASSERT_EQ(ahead.runs.size(), ahead.listed_before.size());
  for (std::size_t i = 0; i < ahead.runs.size(); ++i) {
    EXPECT_EQ(ahead.ways.directories[ahead.listed_before[i] - 1], tree.parent(ahead.runs[i].entry));
  }
}

TEST(ResolveLink, FollowsWithinTheImageOnly) {
  TemporaryDirectory directory;
  const fs::path tree = directory.path() / "tree";
  put(tree / "a/file", "x");
  fs::create_symlink("a", tree / "to_a");
  fs::create_symlink("to_a/../to_a/file", tree / "winding");
  fs::create_symlink("/to_a/file", tree / "absolute");
  fs::create_symlink("../../../../a/file", tree / "climbing");
  fs::create_symlink("loop", tree / "loop");
  fs::create_symlink("a/file/below", tree / "through_file");
  zar::build(tree, {}, {}, directory.path() / "image");
  const UniqueFd fd(::open((directory.path() / "image").c_str(), O_RDONLY | O_CLOEXEC));
  const Mapping mapping =
      Mapping::read_only(fd.get(), fs::file_size(directory.path() / "image"), "image");
  const zar::Image image = zar::Image::open(mapping.bytes(), "image");
  const ImageTree of(image);
  const auto end = [&](const char* path) -> std::string {
    const auto at = resolve_link(of, image.find(path).value());
    return at ? std::string(image.entries()[*at].path) : "nowhere";
  };
  EXPECT_EQ(end("/winding"), "/a/file");
  EXPECT_EQ(end("/absolute"), "/a/file");
  EXPECT_EQ(end("/climbing"), "/a/file");
  EXPECT_EQ(end("/to_a"), "/a");
  EXPECT_EQ(end("/loop"), "nowhere");
  EXPECT_EQ(end("/through_file"), "nowhere");
}

}  // namespace
}  // namespace missive::launch
