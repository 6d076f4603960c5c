// What every packing and placement has to keep, over random trees; and what sets each apart.

#include "real/zar/packing.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include <gtest/gtest.h>

#include "real/zar/layout.h"
#include "real/zar/placement.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

// Contents with their paths, in path order.
struct Files {
  std::vector<std::string> paths;
  std::vector<Content> contents;
};

Files random_files(unsigned seed, std::size_t count) {
  std::mt19937 random(seed);
  Files f;
  std::set<std::string> paths;
  while (paths.size() < count)
    paths.insert("/d" + std::to_string(random() % 7) + "/e" + std::to_string(random() % 3) + "/f" +
                 std::to_string(random() % 100000));
  f.paths.assign(paths.begin(), paths.end());
  for (const std::string& path : f.paths) {
    const std::uint64_t kinds[] = {1 + random() % 300, 1 + random() % 4096,
                                   4096 * (1 + random() % 3), 4000 + random() % 200000};
    f.contents.push_back({path, kinds[random() % 4],
                          random() % 3 == 0 ? static_cast<std::uint32_t>(random() % 50) : kNever});
  }
  return f;
}

std::vector<Digest> digests_of(const Packed& packed, const Files& f) {
  std::vector<Digest> digests;
  for (const Packed::Item& item : packed.items) {
    std::string text;
    for (const auto& m : packed.of(item))
      text += std::string(f.contents[m.content].path) + std::to_string(m.offset);
    digests.push_back(sha256(std::as_bytes(std::span(text))));
  }
  return digests;
}

class Packings : public testing::TestWithParam<const PackingChoice*> {};
INSTANTIATE_TEST_SUITE_P(All, Packings, testing::ValuesIn(packings()),
                         [](const auto& each) { return std::string(each.param->name); });

TEST_P(Packings, EveryContentIsInOneItemAndWhereReadersExpectIt) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const Files f = random_files(seed, 1 + seed * 13);
    const Packed packed = GetParam()->pack(f.contents, 16384);
    std::vector<unsigned> seen(f.contents.size());
    for (const Packed::Item& item : packed.items) {
      std::uint64_t end = 0;
      for (const Packed::Member& m : packed.of(item)) {
        const std::uint64_t size = f.contents[m.content].size;
        ++seen[m.content];
        EXPECT_GE(m.offset, end);
        end = m.offset + size;
        if (size >= kPage || !GetParam()->shares_pages) {
          EXPECT_EQ(m.offset % kPage, 0u);
        } else {
          EXPECT_EQ(m.offset % kPacked, 0u);
          EXPECT_LE(m.offset % kPage + size, kPage);
        }
      }
      EXPECT_EQ(item.size, end);
    }
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1u), static_cast<long>(seen.size()));
  }
}

TEST_P(Packings, NothingIsAnEmptyPacking) { EXPECT_TRUE(GetParam()->pack({}, 4096).items.empty()); }

class Placements
    : public testing::TestWithParam<std::tuple<const PackingChoice*, const PlacementChoice*>> {};
INSTANTIATE_TEST_SUITE_P(All, Placements,
                         testing::Combine(testing::ValuesIn(packings()),
                                          testing::ValuesIn(placements())));

TEST_P(Placements, ItemsDoNotOverlapAndStartWhereTheyMay) {
  const auto& [packing, placement] = GetParam();
  for (unsigned seed = 0; seed < 8; ++seed) {
    const Files f = random_files(seed, 150);
    const std::uint32_t block = seed % 2 == 0 ? 4096 : 65536;
    const Packed packed = packing->pack(f.contents, block);
    const auto digests = digests_of(packed, f);
    const std::uint64_t start = 3 * 65536;
    const Placed placed = placement->place({packed, f.contents, digests, start, block});
    std::map<std::uint64_t, std::uint64_t> taken;
    for (std::size_t i = 0; i < packed.items.size(); ++i) {
      EXPECT_EQ(placed.offsets[i] % (packed.items[i].on_block ? block : kPage), 0u);
      EXPECT_TRUE(taken.emplace(placed.offsets[i], packed.items[i].size).second);
    }
    std::uint64_t end = start;
    for (const auto& [offset, size] : taken) {
      EXPECT_GE(offset, end);
      end = offset + size;
    }
    EXPECT_EQ(placed.end, end);
  }
}

std::uint64_t length_of(const PackingChoice& packing, const PlacementChoice& placement,
                        const Files& f, std::uint32_t block) {
  const Packed packed = packing.pack(f.contents, block);
  const auto digests = digests_of(packed, f);
  return placement.place({packed, f.contents, digests, 0, block}).end;
}

TEST(Packing, GreedyPadsLeastAndOffMost) {
  const Files f = random_files(5, 400);
  std::uint64_t content = 0;
  for (const Content& c : f.contents) content += c.size;
  const auto padding = [&](const PackingChoice& p) {
    return length_of(p, kPlacementInOrder, f, 16384) - content;
  };
  EXPECT_LT(padding(kPackingGreedy), padding(kPackingPath));
  EXPECT_LT(padding(kPackingPath), padding(kPackingPage));
  EXPECT_LT(padding(kPackingPage), padding(kPackingOff));
}

TEST(Packing, GreedyTakesTheLargestThatFits) {
  const std::vector<Content> contents = {{"/a", 4096 + 1000}, {"/b", 100}, {"/c", 3000},
                                         {"/d", 3096},        {"/e", 96},  {"/f", 3097}};
  const Packed packed = kPackingGreedy.pack(contents, 4096);
  // Behind /a 3096 bytes are free: /d fills them. The rest: 3097 + (at 3104) 100 + (at 3304) 96.
  ASSERT_EQ(packed.items.size(), 2u);
  const auto first = packed.of(packed.items[0]);
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[1].content, 3u);
  EXPECT_EQ(first[1].offset, 4096u + 1000);
  const auto rest = packed.of(packed.items[1]);
  ASSERT_EQ(rest.size(), 4u);
  EXPECT_EQ(rest[0].content, 5u);
  EXPECT_EQ(rest[1].content, 1u);
  EXPECT_EQ(rest[2].content, 4u);
  EXPECT_EQ(rest[3].content, 2u);
  EXPECT_EQ(rest[3].offset, 4096u);
}

TEST(Packing, ADirectoryHasTheSameBundleWhateverLiesBeside) {
  const std::vector<Content> one = {{"/a/x", 10}, {"/m/1", 500}, {"/m/2", 70}, {"/m/s/3", 9}};
  const std::vector<Content> two = {{"/m/1", 500}, {"/m/2", 70}, {"/z", 3}};
  const auto bundle = [](const Packed& p, std::size_t item) {
    std::vector<std::uint64_t> offsets;
    for (const auto& m : p.of(p.items[item])) offsets.push_back(m.offset);
    return offsets;
  };
  const Packed a = kPackingDirectory.pack(one, 4096), b = kPackingDirectory.pack(two, 4096);
  ASSERT_EQ(a.items.size(), 3u);
  ASSERT_EQ(b.items.size(), 2u);
  EXPECT_EQ(bundle(a, 1), bundle(b, 0));
}

TEST(Packing, LaunchBundlesWhatTheStartNeedsInItsOrder) {
  const std::vector<Content> contents = {{"/a", 10}, {"/b", 10, 7}, {"/c", 10, 2}, {"/d", 10}};
  const Packed p = kPackingLaunch.pack(contents, 4096);
  ASSERT_EQ(p.items.size(), 2u);
  EXPECT_EQ(p.of(p.items[0])[0].content, 2u);
  EXPECT_EQ(p.of(p.items[0])[1].content, 1u);
  EXPECT_EQ(p.of(p.items[1])[0].content, 0u);
}

TEST(Placement, LaunchPutsWhatTheStartNeedsFirst) {
  const std::vector<Content> contents = {
      {"/a", 5000}, {"/b", 70000, 9}, {"/c", 5000, 4}, {"/d", 70000}};
  const Packed p = kPackingPath.pack(contents, 65536);
  const Placed placed = kPlacementLaunch.place({p, contents, {}, 65536, 65536});
  EXPECT_LT(placed.offsets[2], placed.offsets[1]);
  EXPECT_LT(placed.offsets[1], placed.offsets[0]);
}

TEST(Placement, GreedyFillsTheRestOfABlock) {
  const std::vector<Content> contents = {{"/a", 40000}, {"/b", 40000}, {"/c", 20000}};
  const Packed p = kPackingPath.pack(contents, 65536);
  const Placed placed = kPlacementGreedy.place({p, contents, {}, 0, 65536});
  EXPECT_EQ(placed.offsets, (std::vector<std::uint64_t>{0, 61440, 40960}));
}

// The point of consistent hashing: who leaves or joins hardly moves the others.
TEST(Placement, StableKeepsMostInPlaceWhenAFileIsAdded) {
  const auto offsets = [](const PlacementChoice& placement, const Files& f) {
    const Packed p = kPackingPage.pack(f.contents, 4096);
    const auto digests = digests_of(p, f);
    const Placed placed = placement.place({p, f.contents, digests, 65536, 4096});
    std::map<std::string, std::uint64_t> by_path;
    for (std::size_t i = 0; i < p.items.size(); ++i)
      by_path[std::string(f.contents[p.of(p.items[i])[0].content].path)] = placed.offsets[i];
    return by_path;
  };
  Files before = random_files(3, 300), after = before;
  after.contents.insert(after.contents.begin(), Content{"/added", 9000});
  const auto moved = [&](const PlacementChoice& placement) {
    const auto a = offsets(placement, before), b = offsets(placement, after);
    std::size_t count = 0;
    for (const auto& [path, offset] : a) count += b.at(path) != offset;
    return count;
  };
  EXPECT_LT(moved(kPlacementStable), 30u);
  EXPECT_GT(moved(kPlacementInOrder), 100u);
}

TEST(Placement, StableTakesTheScrapListWhenAllWantOnePlace) {
  // Equal digests have equal wishes: only one of them, at most ten, gets its wish.
  const Files f = random_files(1, 60);
  const Packed p = kPackingPage.pack(f.contents, 4096);
  const std::vector<Digest> same(p.items.size());
  const Placed placed = kPlacementStable.place({p, f.contents, same, 0, 4096});
  EXPECT_GE(placed.scrap_items, p.items.size() - 20);
  EXPECT_GT(placed.scrap_bytes, 0u);
}

}  // namespace
}  // namespace missive::zar
