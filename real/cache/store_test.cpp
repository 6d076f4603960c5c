#include "real/cache/store.h"

#include <chrono>
#include <cstring>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/disk.h"
#include "real/child_process.h"
#include "real/error_testing.h"
#include "real/origin/test_image.h"
#include "real/zar/recipe.h"

namespace missive::cache {
namespace {

namespace fs = std::filesystem;
using origin::TemporaryDirectory;
using testing::HasSubstr;

constexpr std::uint32_t kBlock = 4096;

// Block number `i` of an endless sequence; each is different from all others.
std::vector<std::byte> block(std::uint64_t i) {
  std::vector<std::byte> bytes(kBlock);
  for (std::size_t at = 0; at < kBlock; at += 8) {
    const std::uint64_t word = i * 0x9e3779b97f4a7c15U + at;
    std::memcpy(bytes.data() + at, &word, 8);
  }
  return bytes;
}

void put(Store& store, std::uint64_t i) { store.put(zar::sha256(block(i)), block(i)); }
bool has(const Store& store, std::uint64_t i) { return store.contains(zar::sha256(block(i))); }

// What the store gives out under the name of block `i`.
std::vector<std::byte> given(const Store& store, std::uint64_t i) {
  const UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  store.append_to(fd.get(), zar::sha256(block(i)), kBlock);
  std::vector<std::byte> bytes(kBlock);
  EXPECT_TRUE(read_at(fd.get(), bytes, 0, "test"));
  EXPECT_EQ(size_of(fd.get(), "test"), kBlock);
  return bytes;
}

void overwrite(const fs::path& file, std::uint64_t at, const std::string& bytes) {
  std::fstream f(file, std::ios::in | std::ios::out | std::ios::binary);
  f.seekp(static_cast<std::streamoff>(at));
  f << bytes;
}

TEST(Store, KeepsBlocksAndRecipesAcrossReopening) {
  const TemporaryDirectory dir;
  const zar::Recipe recipe = zar::make_recipe(block(1), kBlock, 2);
  {
    Store store(dir.path(), {});
    EXPECT_FALSE(has(store, 1));
    for (int i = 0; i < 10; ++i) put(store, i);
    put(store, 3);  // kept once
    store.put_recipe(recipe.name(), recipe.serialize());
  }
  const Store store(dir.path(), {});
  for (int i = 0; i < 10; ++i) EXPECT_EQ(given(store, i), block(i));
  EXPECT_FALSE(has(store, 10));
  EXPECT_EQ(store.recipe(recipe.name()), recipe.serialize());
  EXPECT_FALSE(store.contains(recipe.name())) << "a recipe is not a block";
  EXPECT_EQ(store.stats().blocks, 10U);
  EXPECT_EQ(store.stats().data_bytes, 10 * kBlock + recipe.serialize().size());
  EXPECT_EQ(store.stats().dropped_bytes, 0U);
}

TEST(Store, RefusesWhatItDoesNotHold) {
  const TemporaryDirectory dir;
  Store store(dir.path(), {});
  put(store, 1);
  const UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  EXPECT_THROW(store.append_to(fd.get(), zar::sha256(block(2)), kBlock), RunError);
  EXPECT_THROW(store.append_to(fd.get(), zar::sha256(block(1)), kBlock / 2), RunError);
  EXPECT_FALSE(store.recipe(zar::Digest{}));
}

TEST(Store, IsOpenInOneProcessAtATime) {
  const TemporaryDirectory dir;
  const Store store(dir.path(), {});
  EXPECT_THAT(error_of<Error>([&] { Store(dir.path(), {}); }),
              HasSubstr("in use by another process"));
}

TEST(Store, SaysWhenItIsNotAStore) {
  const TemporaryDirectory dir;
  std::ofstream(dir.path() / "blocks.index") << std::string(100, 'x');
  EXPECT_THAT(error_of<Error>([&] { Store(dir.path(), {}); }), HasSubstr("not a store"));
  EXPECT_THROW(Store("/proc/no/such/place", {}), RunError);
}

TEST(Store, DoesNotFollowLinksOutOfItsDirectory) {
  const TemporaryDirectory dir, other;
  fs::create_symlink(other.path() / "victim", dir.path() / "blocks");
  EXPECT_THROW(Store(dir.path(), {}), RunError);
  EXPECT_FALSE(fs::exists(other.path() / "victim"));
}

// Each damage costs the store's end, never more, and never an answer with wrong bytes.
TEST(Store, CutsOffATornOrDamagedTail) {
  struct Damage {
    const char* what;
    std::function<void(const fs::path&)> apply;
    std::uint64_t left;
  };
  const auto cut = [](const char* file, int bytes) {
    return [=](const fs::path& dir) {
      fs::resize_file(dir / file, fs::file_size(dir / file) - static_cast<std::uintmax_t>(bytes));
    };
  };
  const auto append = [](const char* file, const std::string& bytes) {
    return [=](const fs::path& dir) { std::ofstream(dir / file, std::ios::app) << bytes; };
  };
  const std::uint64_t record = 56, head = 64;
  const std::vector<Damage> damages{
      {"torn record", cut("blocks.index", 1), 4},
      {"record cut to one byte", cut("blocks.index", 55), 4},
      {"content without record", append("blocks", "half a block"), 5},
      {"garbage after the records", append("blocks.index", std::string(200, 'g')), 5},
      {"zeros after the records", append("blocks.index", std::string(200, '\0')), 5},
      {"content shorter than its record says", cut("blocks", 1), 4},
      {"content of two blocks gone", cut("blocks", kBlock + 1), 3},
      {"content gone", cut("blocks", 5 * kBlock), 0},
      {"bit flipped in record 2",
       [=](const fs::path& dir) { overwrite(dir / "blocks.index", head + 2 * record, "!"); }, 2},
      {"head cut", cut("blocks.index", 5 * 56 + 1), 0},
  };
  for (const Damage& damage : damages) {
    SCOPED_TRACE(damage.what);
    const TemporaryDirectory dir;
    {
      Store store(dir.path(), {});
      for (int i = 0; i < 5; ++i) put(store, i);
    }
    damage.apply(dir.path());
    Store store(dir.path(), {});
    EXPECT_EQ(store.stats().blocks, damage.left);
    EXPECT_GT(store.stats().dropped_bytes + (damage.left == 0 ? 1 : 0), 0U);
    for (std::uint64_t i = 0; i < damage.left; ++i) EXPECT_EQ(given(store, i), block(i));
    for (int i = 0; i < 8; ++i) put(store, i);  // works on
    for (int i = 0; i < 8; ++i) EXPECT_EQ(given(store, i), block(i));
  }
}

TEST(Store, ChecksAllContentAtTheFirstOpenAfterABoot) {
  const TemporaryDirectory dir;
  const zar::Recipe recipe = zar::make_recipe(block(1), kBlock, 2);
  {
    Store store(dir.path(), {});
    store.put_recipe(recipe.name(), recipe.serialize());
    for (int i = 0; i < 5; ++i) put(store, i);
  }
  overwrite(dir.path() / "blocks.index", 16, "another-boot");
  {
    const Store store(dir.path(), {});
    EXPECT_EQ(store.stats().blocks, 5U) << "nothing was wrong";
  }
  // A power cut can leave a record whose content never reached the disk.
  overwrite(dir.path() / "blocks", recipe.serialize().size() + 3 * kBlock, std::string(4, '\0'));
  overwrite(dir.path() / "blocks.index", 16, "another-boot");
  const Store store(dir.path(), {});
  EXPECT_EQ(store.stats().blocks, 4U) << "only what was wrong is gone";
  EXPECT_EQ(store.stats().dropped_bytes, kBlock);
  EXPECT_TRUE(store.contains_recipe(recipe.name()));
  for (const int i : {0, 1, 2, 4}) EXPECT_EQ(given(store, i), block(i));
}

TEST(Store, SurvivesKillNineAtAnyMoment) {
  const TemporaryDirectory dir;
  std::uint64_t before = 0;
  for (int round = 0; round < 20; ++round) {
    ChildProcess writer({.name = "writer", .keep = {}, .drop_to = std::nullopt},
                        [&](const ChildProcess::Ready& ready) {
                          Store store(dir.path(), {});
                          for (std::uint64_t i = before; i < 100'000; ++i) {
                            put(store, i);
                            if (i == before) ready("");
                          }
                          return 0;
                        });
    ::usleep(static_cast<useconds_t>(500 + 397 * round));
    writer.kill_now();
    const Store store(dir.path(), {});
    const std::uint64_t now = store.stats().blocks;
    EXPECT_GT(now, before) << "nothing that was kept got lost";
    for (std::uint64_t i = 0; i < now; ++i) {
      ASSERT_TRUE(has(store, i));
      if (i + 50 >= before) {
        ASSERT_EQ(given(store, i), block(i));
      }
    }
    before = now;
  }
}

TEST(Store, StaysConsistentAtItsLimit) {
  const TemporaryDirectory dir;
  const std::uint64_t limit = 64 + 3 * (kBlock + 56) + 100;
  {
    Store store(dir.path(), {.disk_limit = limit});
    for (int i = 0; i < 3; ++i) put(store, i);
    EXPECT_THAT(error_of<Error>([&] { put(store, 3); }), HasSubstr("its limit is"));
    put(store, 2);  // there already: no room needed
    const std::vector<std::byte> small(20);
    store.put(zar::sha256(small), small);
    EXPECT_FALSE(has(store, 3));
  }
  EXPECT_LE(fs::file_size(dir.path() / "blocks") + fs::file_size(dir.path() / "blocks.index"),
            limit);
  Store store(dir.path(), {});
  EXPECT_EQ(store.stats().blocks, 4U);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(given(store, i), block(i));
}

TEST(Store, StaysConsistentOnAFullDisk) {
  const TemporaryDirectory dir;
  if (::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=64k") != 0) {
    GTEST_SKIP() << "needs CAP_SYS_ADMIN to mount a small tmpfs: " << std::strerror(errno);
  }
  const std::unique_ptr<const fs::path, void (*)(const fs::path*)> unmount(
      &dir.path(), [](const fs::path* p) { ::umount2(p->c_str(), MNT_DETACH); });
  std::uint64_t kept = 0;
  {
    Store store(dir.path() / "store", {});
    EXPECT_THAT(error_of<Error>([&] {
                  for (;; ++kept) put(store, kept);
                }),
                HasSubstr("the disk is full"));
    EXPECT_GT(kept, 3U);
    EXPECT_EQ(store.stats().blocks, kept);
    for (std::uint64_t i = 0; i < kept; ++i) EXPECT_EQ(given(store, i), block(i));
  }
  const Store store(dir.path() / "store", {});
  EXPECT_EQ(store.stats().blocks, kept);
  EXPECT_EQ(store.stats().dropped_bytes, 0U) << "the half-written block was given back";
}

TEST(Store, RewindsToAMark) {
  const TemporaryDirectory dir;
  Store::Mark mark;
  const zar::Recipe recipe = zar::make_recipe(block(1), kBlock, 2);
  {
    Store store(dir.path(), {});
    for (int i = 0; i < 3; ++i) put(store, i);
    mark = store.mark();
    for (int i = 3; i < 6; ++i) put(store, i);
    store.put_recipe(recipe.name(), recipe.serialize());
  }
  const auto expect_three = [&](const Store& store) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(given(store, i), block(i));
    for (int i = 3; i < 6; ++i) EXPECT_FALSE(has(store, i));
    EXPECT_FALSE(store.contains_recipe(recipe.name()));
    EXPECT_EQ(store.stats().data_bytes, 3 * kBlock);
  };
  {
    Store store(dir.path(), {});
    store.rewind(mark);
    expect_three(store);
    put(store, 5);
    EXPECT_EQ(given(store, 5), block(5));
    store.rewind(mark);
  }
  Store store(dir.path(), {});
  expect_three(store);
  EXPECT_THROW(store.rewind({mark.data_bytes + 1, mark.index_bytes, 0}), InputError);
}

}  // namespace
}  // namespace missive::cache
