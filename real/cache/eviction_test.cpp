// What each policy lets go first, and what that means over traces of requests.

#include "real/cache/eviction.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "models/random.h"

namespace missive::cache {
namespace {

using testing::ElementsAre;

zar::Digest name(std::uint64_t i) {
  zar::Digest digest;
  std::memcpy(digest.bytes.data(), &i, sizeof i);
  return digest;
}
std::uint64_t number(const zar::Digest& digest) {
  std::uint64_t i = 0;
  std::memcpy(&i, digest.bytes.data(), sizeof i);
  return i;
}

// Images by their blocks' numbers; the recipe of image 7 is number 7.
struct Cast {
  std::map<std::uint64_t, std::vector<zar::Digest>> leaves;
  std::map<std::uint64_t, HeldImage> images;

  void add(std::uint64_t image, const std::vector<std::uint64_t>& blocks, ImageUse use,
           std::uint64_t bytes = 1 << 20) {
    for (const std::uint64_t b : blocks) leaves[image].push_back(name(b));
    images[image] = {name(image), bytes, leaves[image], use, false};
  }
  // Numbers in the order in which they go.
  std::vector<std::uint64_t> order(const EvictionPolicy& policy,
                                   const std::vector<std::uint64_t>& strays = {}) const {
    std::vector<HeldImage> held_images;
    std::set<std::uint64_t> blocks(strays.begin(), strays.end());
    std::vector<Content> held;
    for (const auto& [n, image] : images) {
      held_images.push_back(image);
      held.push_back({ContentKind::recipe, image.name});
      for (const zar::Digest& leaf : image.leaves) blocks.insert(number(leaf));
    }
    for (const std::uint64_t b : blocks) held.push_back({ContentKind::block, name(b)});
    std::vector<std::uint64_t> numbers;
    for (const Candidate& c : eviction_order(policy, held_images, held))
      numbers.push_back(number(c.content.name));
    return numbers;
  }
};

TEST(Eviction, KnowsItsPoliciesByName) {
  for (const EvictionPolicy* p : eviction_policies()) EXPECT_EQ(&eviction_policy(p->name), p);
  EXPECT_THROW(eviction_policy("fifo"), InputError);
}

TEST(Eviction, BlocksOfNoImageGoFirstAndAnImageGoesFromItsEnd) {
  Cast cast;
  cast.add(1, {10, 11, 12}, {1, 1, 0});
  for (const EvictionPolicy* p : eviction_policies())
    EXPECT_THAT(cast.order(*p, {99}), ElementsAre(99, 12, 11, 10, 1)) << p->name;
}

TEST(Eviction, PinnedImagesStayWithAllTheyShare) {
  Cast cast;
  cast.add(1, {10, 11}, {1, 1, 0});
  cast.add(2, {11, 20}, {1, 2, 0});
  cast.images[1].pinned = true;
  for (const EvictionPolicy* p : eviction_policies())
    EXPECT_THAT(cast.order(*p), ElementsAre(20, 2)) << p->name;
}

TEST(Eviction, LruLetsGoWhatWasUsedLongestAgo) {
  Cast cast;
  cast.add(1, {10, 11}, {50, 3, 0});
  cast.add(2, {20, 11}, {1, 9, 0});
  cast.add(3, {30}, {2, 5, 0});
  EXPECT_THAT(cast.order(kEvictLru), ElementsAre(10, 1, 30, 3, 11, 20, 2))
      << "11 was used with image 2";
}

TEST(Eviction, LfuLetsGoWhatWasUsedLeast) {
  Cast cast;
  cast.add(1, {10, 11}, {5, 3, 0});
  cast.add(2, {20, 11}, {1, 9, 0});
  cast.add(3, {30}, {1, 8, 0});
  EXPECT_THAT(cast.order(kEvictLfu), ElementsAre(30, 3, 20, 2, 10, 1, 11))
      << "11 was used six times, with both";
}

TEST(Eviction, GdsfPrefersSmallImagesAndForgets) {
  Cast cast;
  cast.add(1, {10}, {4, 3, 0}, 8 << 20);    // 4 / 8
  cast.add(2, {20}, {2, 2, 0}, 1 << 20);    // 2 / 1
  cast.add(3, {30}, {1, 9, 2.5}, 4 << 20);  // 2.5 + 1 / 4: used once, and lately
  EXPECT_THAT(cast.order(kEvictGdsf), ElementsAre(10, 1, 20, 2, 30, 3));
}

TEST(Eviction, CommonalityKeepsWhatManyShare) {
  Cast cast;
  cast.add(1, {10, 50, 60}, {1, 1, 0});
  cast.add(2, {20, 50, 60}, {9, 9, 0});
  cast.add(3, {30, 60}, {5, 5, 0});
  EXPECT_THAT(cast.order(kEvictCommonality), ElementsAre(10, 30, 20, 1, 3, 50, 2, 60))
      << "of one image; of two, and recipes; of three";
}

TEST(Eviction, ABlockThatAnImageRepeatsIsNotShared) {
  Cast cast;
  cast.add(1, {10, 10, 10}, {1, 2, 0});
  cast.add(2, {20, 21}, {1, 1, 0});
  EXPECT_THAT(cast.order(kEvictCommonality), ElementsAre(21, 20, 10, 2, 1));
}

// A store of equal blocks under a policy: what it would have had to fetch. Simulated: no disk, no
// time, the order of requests only.
class Simulated {
 public:
  Simulated(const EvictionPolicy& policy, std::size_t capacity)
      : policy_(policy), capacity_(capacity) {}

  void request(std::uint64_t image, const std::vector<zar::Digest>& leaves) {
    HeldImage& held = images_[image];
    held = {
        name(image), leaves.size() * 65536, leaves, {held.use.uses + 1, ++number_, clock_}, true};
    std::size_t missing = 0;
    for (const zar::Digest& leaf : leaves) missing += blocks_.contains(leaf) ? 0 : 1;
    wanted_ += leaves.size();
    missing_ += missing;
    requests_ += 1;
    whole_ += missing == 0 ? 1 : 0;
    if (blocks_.size() + missing > capacity_) make_room(blocks_.size() + missing - capacity_);
    blocks_.insert(leaves.begin(), leaves.end());
    held.pinned = false;
  }
  double block_hits() const {
    return 1 - static_cast<double>(missing_) / static_cast<double>(wanted_);
  }
  double image_hits() const { return static_cast<double>(whole_) / static_cast<double>(requests_); }

 private:
  void make_room(std::size_t wanted) {
    std::vector<HeldImage> images;
    std::vector<Content> held;
    for (const auto& [n, image] : images_) {
      images.push_back(image);
      held.push_back({ContentKind::recipe, image.name});
    }
    for (const zar::Digest& b : blocks_) held.push_back({ContentKind::block, b});
    std::size_t freed = 0;
    for (const Candidate& c : eviction_order(policy_, images, held)) {
      if (freed >= std::max(wanted, capacity_ / 16)) break;
      clock_ = std::max(clock_, c.worth.first);
      if (c.content.kind == ContentKind::recipe)
        images_.erase(number(c.content.name));
      else
        freed += blocks_.erase(c.content.name);
    }
  }

  const EvictionPolicy& policy_;
  std::size_t capacity_;
  std::map<std::uint64_t, HeldImage> images_;
  std::set<zar::Digest> blocks_;
  std::uint64_t number_ = 0;
  double clock_ = 0;
  std::uint64_t wanted_ = 0, missing_ = 0, requests_ = 0, whole_ = 0;
};

// Image n: some blocks of its family's base, then its own.
std::vector<zar::Digest> image_of(std::uint64_t n, std::uint64_t family, std::size_t shared,
                                  std::size_t own) {
  std::vector<zar::Digest> leaves;
  for (std::size_t i = 0; i < shared; ++i) leaves.push_back(name(1'000'000 + 1000 * family + i));
  for (std::size_t i = 0; i < own; ++i) leaves.push_back(name(100'000'000 + 10'000 * n + i));
  return leaves;
}

struct Trace {
  const char* what;
  std::size_t capacity;  // blocks
  std::vector<std::pair<std::uint64_t, std::vector<zar::Digest>>> requests;
};

// A draw of 0..n-1, of which k comes with weight 1 / (k + 1).
std::uint64_t zipf(Random& random, std::uint64_t n) {
  double total = 0;
  for (std::uint64_t k = 1; k <= n; ++k) total += 1.0 / static_cast<double>(k);
  double at = random.uniform() * total;
  for (std::uint64_t k = 1; k <= n; ++k)
    if ((at -= 1.0 / static_cast<double>(k)) <= 0) return k - 1;
  return n - 1;
}

Trace steady() {
  Trace trace{"steady popularity", 600, {}};
  Random random(1);
  for (int i = 0; i < 600; ++i) {
    const std::uint64_t n = zipf(random, 60);
    trace.requests.emplace_back(n, image_of(n, n % 4, 20, 30));
  }
  return trace;
}
Trace shifting() {
  Trace trace{"popularity moves on", 600, {}};
  Random random(2);
  for (std::uint64_t i = 0; i < 600; ++i) {
    const std::uint64_t n = zipf(random, 60) + 60 * (i / 200);
    trace.requests.emplace_back(n, image_of(n, n % 4, 20, 30));
  }
  return trace;
}
Trace mixed_sizes() {
  Trace trace{"large and small images", 600, {}};
  Random random(3);
  for (int i = 0; i < 600; ++i) {
    const std::uint64_t n = zipf(random, 60);
    trace.requests.emplace_back(n, image_of(n, n % 4, 5, n % 2 == 0 ? 200 : 10));
  }
  return trace;
}
// Versions of eight families, each asked for once, and between them images that share nothing.
Trace always_new() {
  Trace trace{"new versions, and one-offs", 300, {}};
  Random random(4);
  for (std::uint64_t n = 0; n < 400; n += 2) {
    trace.requests.emplace_back(n, image_of(n, random.below(8), 30, 20));
    trace.requests.emplace_back(n + 1, image_of(n + 1, 0, 0, 80));
  }
  return trace;
}

std::map<std::string, Simulated> run(const Trace& trace) {
  std::map<std::string, Simulated> all;
  std::printf("%-28s", trace.what);
  for (const EvictionPolicy* p : eviction_policies()) {
    Simulated& s = all.emplace(p->name, Simulated(*p, trace.capacity)).first->second;
    for (const auto& [image, leaves] : trace.requests) s.request(image, leaves);
    std::printf("  %s %.3f / %.3f", p->name, s.block_hits(), s.image_hits());
  }
  std::printf("\n");
  return all;
}

TEST(EvictionOverTraces, FrequencyWinsWherePopularityIsSteady) {
  const auto s = run(steady());
  EXPECT_GT(s.at("lfu").block_hits(), s.at("lru").block_hits());
}

TEST(EvictionOverTraces, WhatNeverForgetsLosesWherePopularityMovesOn) {
  const auto s = run(shifting());
  EXPECT_GT(s.at("lru").image_hits(), s.at("lfu").image_hits());
  EXPECT_GT(s.at("gdsf").image_hits(), s.at("lfu").image_hits());
}

TEST(EvictionOverTraces, SizeCountsWhereImagesDiffer) {
  const auto s = run(mixed_sizes());
  for (const char* other : {"lru", "lfu", "commonality"})
    EXPECT_GT(s.at("gdsf").image_hits(), s.at(other).image_hits()) << other;
}

TEST(EvictionOverTraces, SharedBlocksAreWorthMuchWhereImagesAreNew) {
  const auto s = run(always_new());
  for (const char* other : {"lru", "gdsf"})
    EXPECT_GT(s.at("commonality").block_hits(), s.at(other).block_hits()) << other;
}

}  // namespace
}  // namespace missive::cache
