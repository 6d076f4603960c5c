// What is dropped makes room, also on a full disk and under kill -9, and never costs anything else.

#include <algorithm>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>
#include <set>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/disk.h"
#include "real/cache/fsck.h"
#include "real/cache/store.h"
#include "real/child_process.h"
#include "real/origin/test_image.h"
#include "real/zar/recipe.h"

namespace missive::cache {
namespace {

namespace fs = std::filesystem;
using origin::TemporaryDirectory;

// Contents of an endless sequence, of different lengths.
std::vector<std::byte> bytes_of(std::uint64_t i) {
  std::vector<std::byte> bytes(512 + 8 * (i % 7) * 64);
  for (std::size_t at = 0; at < bytes.size(); at += 8) {
    const std::uint64_t word = i * 0x9e3779b97f4a7c15U + at;
    std::memcpy(bytes.data() + at, &word, 8);
  }
  return bytes;
}
zar::Digest name_of(std::uint64_t i) { return zar::sha256(bytes_of(i)); }
Content content(std::uint64_t i) { return {ContentKind::block, name_of(i)}; }
void put(Store& store, std::uint64_t i) { store.put(name_of(i), bytes_of(i)); }
void drop(Store& store, std::uint64_t i) {
  const Content c = content(i);
  store.drop(std::span(&c, 1));
}

void expect_right(const Store& store, std::uint64_t i) {
  const auto expected = bytes_of(i);
  const UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
  store.append_to(fd.get(), name_of(i), static_cast<std::uint32_t>(expected.size()));
  std::vector<std::byte> given(expected.size());
  ASSERT_TRUE(read_at(fd.get(), given, 0, "test"));
  ASSERT_EQ(given, expected);
}

// A store, and what it should hold.
class Upkeep : public testing::Test {
 protected:
  std::uint64_t file_size(const char* name) const { return fs::file_size(dir_.path() / name); }
  void expect_exactly(const Store& store, const std::set<std::uint64_t>& live,
                      std::uint64_t out_of) const {
    ASSERT_EQ(store.stats().blocks, live.size());
    for (std::uint64_t i = 0; i < out_of; ++i) {
      ASSERT_EQ(store.contains(name_of(i)), live.contains(i)) << i;
      if (live.contains(i)) expect_right(store, i);
    }
  }
  TemporaryDirectory dir_;
};

TEST_F(Upkeep, WhatIsDroppedIsGoneAndMakesRoom) {
  {
    Store store(dir_.path(), {});
    for (int i = 0; i < 7; ++i) put(store, i);
    const auto before = store.stats().data_bytes;
    drop(store, 3);
    drop(store, 3);  // not there: nothing happens
    EXPECT_EQ(store.stats().free_bytes, bytes_of(3).size());
    put(store, 10);  // as long as 3
    EXPECT_EQ(store.stats().free_bytes, 0U);
    EXPECT_EQ(store.stats().data_bytes, before) << "it filled the hole";
    drop(store, 6);
    EXPECT_EQ(store.stats().data_bytes, before - bytes_of(6).size()) << "the end is given back";
    expect_exactly(store, {0, 1, 2, 4, 5, 10}, 12);
  }
  const Store store(dir_.path(), {});
  expect_exactly(store, {0, 1, 2, 4, 5, 10}, 12);
  EXPECT_EQ(store.stats().dropped_bytes, 0U);
}

TEST_F(Upkeep, RandomPutsAndDropsStayWithinTheLimit) {
  constexpr std::uint64_t kLimit = 64 * 1024, kNames = 300;
  std::mt19937_64 random(1);
  std::set<std::uint64_t> live;
  for (int opening = 0; opening < 6; ++opening) {
    Store store(dir_.path(), {.disk_limit = kLimit});
    expect_exactly(store, live, kNames);
    for (int step = 0; step < 1000; ++step) {
      const std::uint64_t i = random() % kNames;
      try {
        put(store, i);
        live.insert(i);
      } catch (const NoRoom&) {
        ASSERT_GT(live.size(), 10U);
        std::vector<Content> leave;
        for (int k = 0; k < 5; ++k) {
          const auto victim =
              *std::next(live.begin(), static_cast<std::ptrdiff_t>(random() % live.size()));
          leave.push_back(content(victim));
          live.erase(victim);
        }
        store.drop(leave);
      }
      ASSERT_LE(file_size("blocks") + file_size("blocks.index"), kLimit);
    }
    EXPECT_GT(store.mark().rewrites, 0U) << "the log of drops does not grow for ever";
  }
  EXPECT_THAT(check_store(dir_.path(), true).damage, testing::IsEmpty());
}

TEST_F(Upkeep, CompactGivesAllHolesBack) {
  std::set<std::uint64_t> live;
  {
    Store store(dir_.path(), {});
    for (int i = 0; i < 200; ++i) put(store, i);
    for (int i = 0; i < 200; ++i) i % 3 == 0 ? void(live.insert(i)) : drop(store, i);
    const auto before = file_size("blocks") + file_size("blocks.index");
    const auto given_back = store.compact();
    EXPECT_EQ(file_size("blocks") + file_size("blocks.index"), before - given_back);
    EXPECT_LT(store.stats().free_bytes, store.stats().data_bytes / 10);
    EXPECT_EQ(store.stats().index_bytes, IndexHead::kBytes + live.size() * IndexRecord::kBytes);
    expect_exactly(store, live, 200);
    EXPECT_EQ(store.compact(), 0U);
  }
  const Store store(dir_.path(), {});
  expect_exactly(store, live, 200);
}

// Drops and reuse of space under kill -9: what is there is right, and what was put last and never
// dropped is there.
TEST_F(Upkeep, SurvivesKillNineWhileSpaceIsUsedAgain) {
  constexpr std::uint64_t kWindow = 40;  // so many are kept; older ones are dropped
  for (int round = 0; round < 15; ++round) {
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const UniqueFd from(pipe[0]), to(pipe[1]);
    ChildProcess writer({.name = "writer", .keep = {to.get()}, .drop_to = std::nullopt},
                        [&](const ChildProcess::Ready& ready) {
                          Store store(dir_.path(), {});
                          ready("");
                          for (std::uint64_t i = 0;; ++i) {
                            put(store, i % 1000);
                            if (::write(to.get(), &i, sizeof i) != sizeof i) return 1;
                            if (i >= kWindow) drop(store, (i - kWindow) % 1000);
                            if (i % 97 == 96) store.compact();
                          }
                          return 0;
                        });
    std::uint64_t last = 0;
    std::atomic<bool> killed = false, begun = false;
    std::thread reader([&] {
      std::uint64_t i = 0;
      while (!killed) {
        if (::read(from.get(), &i, sizeof i) != sizeof i) continue;
        last = i;
        begun = true;
      }
    });
    // Else a busy machine lets the writer put nothing; one that ends by itself fails below.
    for (int i = 0; i < 10'000 && !begun; ++i) ::usleep(1000);
    ::usleep(static_cast<useconds_t>(2000 + 1777 * round));
    writer.kill_now();
    killed = true;
    const std::uint64_t end = ~std::uint64_t{0};
    ASSERT_EQ(::write(to.get(), &end, sizeof end), static_cast<ssize_t>(sizeof end));
    reader.join();
    while (last != end) ASSERT_EQ(::read(from.get(), &last, sizeof last), 8) << "drain";
    SCOPED_TRACE(round);
    const Store store(dir_.path(), {});
    EXPECT_GE(store.stats().blocks, 1U);
    for (std::uint64_t i = 0; i < 1000; ++i)
      if (store.contains(name_of(i))) expect_right(store, i);
  }
  EXPECT_THAT(check_store(dir_.path(), true).damage, testing::IsEmpty());
}

TEST_F(Upkeep, RoomCanBeMadeOnAFullDisk) {
  if (::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=256k") != 0) {
    GTEST_SKIP() << "needs CAP_SYS_ADMIN to mount a small tmpfs: " << std::strerror(errno);
  }
  const std::unique_ptr<const fs::path, void (*)(const fs::path*)> unmount(
      &dir_.path(), [](const fs::path* p) { ::umount2(p->c_str(), MNT_DETACH); });
  Store store(dir_.path() / "store", {});
  std::uint64_t next = 0, oldest = 0;
  for (int times = 0; times < 20; ++times) {
    EXPECT_THROW(for (;; ++next) put(store, next), NoRoom);
    std::vector<Content> leave;
    for (int k = 0; k < 20; ++k) leave.push_back(content(oldest++));
    ASSERT_NO_THROW(store.drop(leave)) << "what makes room needs some itself";
  }
  for (std::uint64_t i = oldest; i < next; ++i) expect_right(store, i);
}

TEST_F(Upkeep, ADropCannotBeRewound) {
  Store store(dir_.path(), {});
  for (int i = 0; i < 3; ++i) put(store, i);
  const Store::Mark mark = store.mark();
  drop(store, 1);
  EXPECT_THROW(store.rewind(mark), InputError);
  put(store, 5);
  const Store::Mark later = store.mark();
  put(store, 6);
  store.rewind(later);
  expect_exactly(store, {0, 2, 5}, 8);
  store.compact();
  EXPECT_THROW(store.rewind(later), InputError) << "the log it was in is gone";
}

TEST_F(Upkeep, NobodyReadsWhatIsBeingWrittenOver) {
  Store store(dir_.path(), {});
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> reads = 0;
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      std::mt19937_64 random(static_cast<std::uint64_t>(t));
      while (!stop) {
        const std::uint64_t i = random() % 50;
        const auto expected = bytes_of(i);
        const UniqueFd fd(::memfd_create("test", MFD_CLOEXEC));
        try {
          store.append_to(fd.get(), name_of(i), static_cast<std::uint32_t>(expected.size()));
        } catch (const RunError&) {
          continue;  // dropped at the moment
        }
        std::vector<std::byte> given(expected.size());
        if (!read_at(fd.get(), given, 0, "test") || given != expected) stop = true;
        EXPECT_EQ(given, expected);
        ++reads;
      }
    });
  }
  std::mt19937_64 random(99);
  for (int step = 0; step < 4000 || reads < 100; ++step) {
    if (stop) break;
    const std::uint64_t i = random() % 50;
    random() % 2 == 0 ? put(store, i) : drop(store, i);
  }
  stop = true;
  for (std::thread& t : readers) t.join();
  EXPECT_GE(reads, 100U);
}

TEST_F(Upkeep, ALeftOverOfARewriteIsThrownAway) {
  { Store(dir_.path(), {}); }
  std::ofstream(dir_.path() / "blocks.index.new") << "half a file";
  EXPECT_THAT(check_store(dir_.path(), true).damage,
              testing::ElementsAre(testing::HasSubstr("blocks.index.new")));
  { Store(dir_.path(), {}); }
  EXPECT_FALSE(fs::exists(dir_.path() / "blocks.index.new"));
}

}  // namespace
}  // namespace missive::cache
