// What goes wrong around a build: damaged images, full disks, very many or very large files.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/zar/builder.h"
#include "real/zar/extract.h"
#include "real/zar/image.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

namespace fs = std::filesystem;

// Runs in a child, which may change its mounts and limits. 77: not possible here.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 99;
    try {
      status = work();
    } catch (...) {
    }
    ::_exit(status);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// Files as a path to content, to compare images by what they hold.
std::map<std::string, std::string> contents(const Image& image) {
  std::map<std::string, std::string> all;
  std::vector<std::byte> scratch;
  for (const Entry& e : image.entries())
    if (e.kind == EntryKind::file)
      all[std::string(e.path)] = as_text(image.view(e, 0, e.size, scratch));
  return all;
}

// With the name at hand any change is found; without it the reader still gives either the same
// content or none, unless the byte was content.
TEST(Faults, AnyFlippedByteChangesTheNameOrIsRefused) {
  const TemporaryDirectory dir;
  put_sample(dir.path() / "tree");
  for (const char* units : {"blocks", "cdc", "strings"}) {
    BuildOptions o;
    o.block_size = 4096;
    o.units = units;
    o.chunking = {256, 1024, 4096};
    const Digest name = build(dir.path() / "tree", {}, o, dir.path() / "image").name;
    auto bytes = read_file(dir.path() / "image");
    std::mt19937 random(3);
    for (int i = 0; i < 250; ++i) {
      const std::size_t at = random() % (i % 2 == 0 ? 4096 : bytes.size());
      bytes[at] ^= std::byte{1} << (i % 8);
      try {
        EXPECT_NE(make_recipe(Image::open(bytes, "image")).name(), name) << units << " " << at;
      } catch (const InputError&) {
      }
      bytes[at] ^= std::byte{1} << (i % 8);
    }
    EXPECT_EQ(make_recipe(Image::open(bytes, "image")).name(), name);
  }
}

TEST(Faults, AFullDiskLeavesNoHalfImage) {
  const TemporaryDirectory dir;
  put(dir.path() / "tree", "/large", noise(3'000'000, 1));
  fs::create_directory(dir.path() / "small");
  const fs::path small = dir.path() / "small";
  const int status = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", small.c_str(), "tmpfs", 0, "size=1m") != 0)
      return 77;
    { std::ofstream(small / "image") << "older"; }
    try {
      build(dir.path() / "tree", {}, {}, small / "image");
      return 1;
    } catch (const RunError& e) {
      if (std::strstr(e.what(), "No space left") == nullptr) return 2;
    }
    if (std::distance(fs::directory_iterator(small), {}) != 1) return 3;
    return as_text(read_file(small / "image")) == "older" ? 0 : 4;
  });
  if (status == 77) GTEST_SKIP() << "no right to mount here";
  EXPECT_EQ(status, 0);
}

TEST(Faults, AFullDiskStopsAnExtraction) {
  const TemporaryDirectory dir;
  put(dir.path() / "tree", "/large", noise(3'000'000, 1));
  build(dir.path() / "tree", {}, {}, dir.path() / "image");
  fs::create_directory(dir.path() / "small");
  const fs::path small = dir.path() / "small";
  const int status = in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", small.c_str(), "tmpfs", 0, "size=1m") != 0)
      return 77;
    const auto bytes = read_file(dir.path() / "image");
    try {
      extract(Image::open(bytes, "image"), small);
      return 1;
    } catch (const RunError& e) {
      return std::strstr(e.what(), "/large") != nullptr ? 0 : 2;
    }
  });
  if (status == 77) GTEST_SKIP() << "no right to mount here";
  EXPECT_EQ(status, 0);
}

// Memory follows the names and never the content: a build of a 2 GiB file and of many files stays
// within limits that hold neither.
TEST(Faults, MemoryIsBoundedWhateverTheInput) {
  const TemporaryDirectory dir;
  put(dir.path() / "tree", "/large", "");
  fs::resize_file(dir.path() / "tree/large", 2ULL << 30);
  for (int i = 0; i < 200; ++i) {
    fs::create_directories(dir.path() / "tree" / std::to_string(i));
    for (int k = 0; k < 50; ++k)
      std::ofstream(dir.path() / "tree" / std::to_string(i) / std::to_string(k)) << i << k;
  }
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer needs address space of its own";
#endif
  const int status = in_child([&] {
    const rlimit limit{256 << 20, 256 << 20};
    if (::setrlimit(RLIMIT_DATA, &limit) != 0) return 77;
    BuildOptions o;
    o.block_size = 4096;
    o.holes = false;
    const BuildReport report = build(dir.path() / "tree", {}, o, dir.path() / "image");
    return report.files == 10'001 && report.recipe.shape.length > 2ULL << 30 ? 0 : 1;
  });
  EXPECT_EQ(status, 0);
}

// What builder.h promises: 1 MiB a thread and some fixed part, and bytes for each file and unit,
// whatever is in them. MISSIVE_MANY_FILES sets another number (docs/images.md).
TEST(Faults, MemoryOfManyTinyFilesIsWhatEachOfThemMayTake) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the address sanitizer has memory of its own";
#endif
  const char* set = std::getenv("MISSIVE_MANY_FILES");
  const std::uint64_t files = set == nullptr ? 100'000 : std::stoull(set);
  const TemporaryDirectory dir;
  for (std::uint64_t i = 0; i < files; ++i) {
    const fs::path folder = dir.path() / "tree" / std::to_string(i / 1000);
    if (i % 1000 == 0) fs::create_directories(folder);
    std::ofstream(folder / std::to_string(i)) << i;
  }
  constexpr std::uint64_t kFixed = 8 << 20, kEach = 256;
  const int status = in_child([&] {
    const auto peak = [] {
      rusage use{};
      ::getrusage(RUSAGE_SELF, &use);
      return static_cast<std::uint64_t>(use.ru_maxrss) * 1024;
    };
    const std::uint64_t before = peak();
    BuildOptions o;
    o.threads = 2;
    if (build(dir.path() / "tree", {}, o, dir.path() / "image").files != files) return 1;
    const std::uint64_t used = peak() - before;
    std::fprintf(stderr, "%llu files: %.1f MiB, %.0f bytes each\n",
                 static_cast<unsigned long long>(files), static_cast<double>(used) / (1 << 20),
                 static_cast<double>(used) / static_cast<double>(files));
    return used <= kFixed + kEach * files ? 0 : 2;
  });
  EXPECT_EQ(status, 0);
}

TEST(Faults, OddNamesSurviveTheRoundTrip) {
  const TemporaryDirectory dir;
  const std::string names[] = {
      std::string(255, 'n'), "new\nline", "\x01\x7f\xff", " ", "-rf", "..."};
  for (const std::string& name : names) put(dir.path() / "tree", "/" + name, name);
  std::string deep;
  for (int i = 0; i < 60; ++i) deep += "/directory-" + std::to_string(i);
  put(dir.path() / "tree", deep + "/file", "deep");
  fix_times(dir.path() / "tree");
  build(dir.path() / "tree", {}, {}, dir.path() / "image");
  const auto bytes = read_file(dir.path() / "image");
  fs::create_directory(dir.path() / "to");
  extract(Image::open(bytes, "image"), dir.path() / "to");
  build(dir.path() / "to", {}, {}, dir.path() / "again");
  const auto again = read_file(dir.path() / "again");
  EXPECT_EQ(contents(Image::open(bytes, "one")), contents(Image::open(again, "two")));
  EXPECT_TRUE(bytes == again);
}

}  // namespace
}  // namespace missive::zar
