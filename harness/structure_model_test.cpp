// The models of structure and of updates, against images that are planned and built: equal where
// they are exact, and drawn as contents are where they are drawn.

#include <filesystem>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include "harness/structure_experiment.h"
#include "harness/structure_facts.h"
#include "harness/structure_tree.h"
#include "models/random.h"
#include "models/structure_layout.h"
#include "models/structure_update.h"
#include "real/zar/compare.h"
#include "real/zar/packing.h"
#include "real/zar/placement.h"
#include "real/zar/plan_counts.h"
#include "real/zar/test_tree.h"
#include "real/zar/wire.h"

namespace missive::harness {
namespace {

// Property: on generated trees of any sizes, whatever is called exact is equal.
TEST(StructureModel, ExactPredictionsEqualWhatIsPlanned) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const zar::TemporaryDirectory tree;
    Random random(seed);
    StructureFacts f;
    const std::uint64_t files = 1 + random.below(40);
    for (std::uint64_t i = 0; i < files; ++i) {
      const auto bits = random.below(19);
      const auto size = static_cast<std::size_t>(random.below(std::uint64_t{1} << bits));
      zar::put(tree.path(), "/d" + std::to_string(random.below(4)) + "/f" + std::to_string(i),
               std::string(size, 'x'));
    }
    for (const auto& c : zar::planned_contents(tree.path(), {}, false))
      f.files.emplace_back().size = c.size;
    for (const char* packing : {"off", "page", "path", "greedy"})
      for (const std::uint64_t block : {4096, 16384, 1 << 20})
        for (const char* units : {"blocks", "strings"}) {
          const StructureDesign d{block, 8, packing, "in-order", units};
          const zar::PlanCounts c = zar::count_plan(tree.path(), {}, build_options(d));
          f.entries = c.entries, f.strings = c.strings;
          const StructurePrediction p = predict_structure(f, d);
          EXPECT_EQ(c.content + c.metadata + c.padding, c.image);
          EXPECT_TRUE(p.metadata->exact);
          EXPECT_EQ(p.metadata->value, static_cast<double>(c.metadata)) << seed << packing << units;
          if (std::string(packing) != "path") {
            EXPECT_TRUE(p.padding->exact);
            EXPECT_EQ(p.padding->value, static_cast<double>(c.padding)) << seed << packing << block;
          }
        }
  }
}

// What is planned is what is built.
TEST(StructureModel, PlannedCountsAreThoseOfTheImageThatIsBuilt) {
  const zar::TemporaryDirectory tree, out;
  zar::put_sample(tree.path());
  for (const char* packing : {"off", "path", "greedy"})
    for (const char* placement : {"in-order", "stable"}) {
      const auto options = build_options({16384, 8, packing, placement, "blocks"});
      const auto planned = zar::count_plan(tree.path(), {}, options);
      const auto built = zar::build(tree.path(), {}, options, out.path() / "image");
      EXPECT_EQ(planned.image, built.recipe.shape.length);
      EXPECT_EQ(planned.metadata, built.metadata_bytes);
      EXPECT_EQ(planned.padding, built.padding_bytes);
      EXPECT_EQ(planned.scrap_items, built.scrap_items);
    }
}

std::string random_text(Random& random, std::uint64_t size) {
  std::string text(static_cast<std::size_t>(size), ' ');
  for (char& c : text) c = static_cast<char>(random.below(256));
  return text;
}

// A tree before and after an update, as the model sees them and as images of them are.
struct Update {
  zar::TemporaryDirectory a, b, out;
  StructureTree from{a.path(), {}}, to{b.path(), {}};
  DigestHashes hashes;
  StructureFacts before, after;

  void describe() {
    before = structure_facts(from, nullptr, &hashes);
    after = structure_facts(to, &from, &hashes);
  }
  zar::Comparison count(const StructureDesign& d) const {
    const auto recipe = [&](const StructureTree& tree) {
      return zar::build(tree.root, {}, build_options(d), out.path() / "image").recipe;
    };
    return zar::compare(recipe(from), recipe(to));
  }
};

// What the model lays out is what the builder does: the same bytes in the same places. Two blocks
// are those of the index, of which it knows little.
TEST(StructureModel, LayoutsByTheManifestAreThoseThatAreBuilt) {
  Update u;
  Random random(5);
  for (int i = 0; i < 60; ++i) {
    const auto bits = 4 + random.below(15);
    std::string text = random_text(random, 1 + random.below(std::uint64_t{1} << bits));
    const std::string name = "/d" + std::to_string(i % 5) + "/f" + std::to_string(i);
    zar::put(u.a.path(), name, text);
    if (i % 9 == 0) continue;  // gone
    if (i % 7 == 0)            // all of it is new
      for (char& c : text) c = static_cast<char>(~c);
    if (i % 11 == 0) text = std::string(5001, 'x') + text;  // all of it moves
    zar::put(u.b.path(), name, text);
  }
  zar::put(u.b.path(), "/new/file", std::string(9000, 'n'));
  u.describe();
  for (const std::string packing : {"off", "page", "path", "greedy"})
    for (const std::string placement : {"in-order", "greedy", "launch", "stable"})
      for (const char* units : {"blocks", "strings"}) {
        // A file with others in its last page has a hash that no manifest says.
        if (packing == "greedy" && placement == "stable") continue;
        const StructureDesign d{16384, 8, packing, placement, units};
        const zar::Comparison x = u.count(d);
        const UpdatePrediction p =
            predict_update(u.before, u.after, d, {}, {&u.hashes, nullptr, {}});
        EXPECT_EQ(p.network->value, static_cast<double>(x.network.bytes))
            << packing << placement << units;
        EXPECT_EQ(p.copied->value, static_cast<double>(x.copies().bytes))
            << packing << placement << units;
        EXPECT_FALSE(p.copied->spread) << packing << placement << units;
      }
  EXPECT_FALSE(edit_profiles(u.from, u.to, u.after).empty());
}

// Nothing is left to draw when the one file that changed has the damage it really had.
TEST(StructureModel, WithTheDamageThatWasNothingIsLeftToDraw) {
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    Update u;
    Random random(seed);
    for (int i = 0; i < 40; ++i) {
      const std::string name = "/d/f" + std::to_string(i);
      std::string text = random_text(random, 4096 + random.below(1 << 15));
      zar::put(u.a.path(), name, text);
      zar::put(u.a.path(), name + "s", text.substr(0, 100));
      zar::put(u.b.path(), name + "s", text.substr(i == 7 ? 1 : 0, 100));
      if (i == 20)
        for (std::size_t at = 0; at < text.size(); at += 4096)
          if (random.below(2) == 0) text[at] = static_cast<char>(~text[at]);
      zar::put(u.b.path(), name, text);
    }
    u.describe();
    const auto own = edit_profiles(u.from, u.to, u.after);
    ASSERT_EQ(own.size(), 1u);
    for (const char* placement : {"in-order", "greedy", "stable"})
      for (const std::uint64_t block : {4096, 16384, 65536}) {
        const StructureDesign d{block, 8, "path", placement, "blocks"};
        const zar::Comparison x = u.count(d);
        const UpdatePrediction p =
            predict_update(u.before, u.after, d, own, {&u.hashes, nullptr, {}});
        EXPECT_EQ(p.network->value, static_cast<double>(x.network.bytes)) << placement << block;
        EXPECT_EQ(p.copied->value, static_cast<double>(x.copies().bytes)) << placement << block;
      }
  }
}

// Zeros, and pages that several files have, stay where others like them lay: the holder of the
// older image knows them, manifests do not.
TEST(StructureModel, EqualPagesAreThoseThatTheHolderOfTheImageKnows) {
  Update u;
  Random random(9);
  std::vector<std::string> stock(3, std::string(4096, '\0'));
  for (std::string& page : stock)
    if (&page != &stock[0]) page = random_text(random, 4096);
  std::map<std::string, std::string> anew{{stock[0], stock[0]}};  // equal pages stay equal
  for (int i = 0; i < 30; ++i) {
    std::string text;
    for (std::uint64_t page = 1 + random.below(12); page > 0; --page) {
      const std::uint64_t kind = random.below(5);  // stretches of one of the stock, or new
      const std::string& one = kind < 3 ? stock[kind] : random_text(random, 4096);
      for (std::uint64_t n = kind < 3 ? 1 + random.below(6) : 1; n > 0; --n) text += one;
    }
    const std::string name = "/f" + std::to_string(100 + i);
    zar::put(u.a.path(), name, text);
    if (i % 10 == 3) {  // compiled anew, a page longer
      for (std::size_t at = 0; at < text.size(); at += 4096) {
        std::string& page = anew[text.substr(at, 4096)];
        if (page.empty()) page = random_text(random, 4096);
        text.replace(at, 4096, page);
      }
      text = random_text(random, 4096) + text;
    }
    zar::put(u.b.path(), name, text);
  }
  u.describe();
  const HeldPages held = held_pages(u.from);
  double missed = 0;
  for (const char* placement : {"in-order", "greedy", "stable"})
    for (const std::uint64_t block : {4096, 8192, 16384}) {
      const StructureDesign d{block, 8, "path", placement, "blocks"};
      const zar::Comparison x = u.count(d);
      const auto p = predict_update(u.before, u.after, d, {}, {&u.hashes, &held, {}});
      EXPECT_EQ(p.network->value, static_cast<double>(x.network.bytes)) << placement << block;
      EXPECT_EQ(p.copied->value, static_cast<double>(x.copies().bytes)) << placement << block;
      missed += predict_update(u.before, u.after, d, {}, {&u.hashes, nullptr, {}}).copied->value -
                static_cast<double>(x.copies().bytes);
    }
  EXPECT_GT(missed, 0);
}

// With the digests of contents, consistent hashing is no matter of chance.
TEST(StructureModel, KnownDigestsPlaceEveryItemWhereTheBuilderDoes) {
  for (std::uint64_t seed = 0; seed < 20; ++seed)
    for (const std::uint32_t block : {4096U, 16384U, 65536U}) {
      Random random(seed);
      zar::Packed packed;
      std::vector<structure::LaidItem> items;
      std::vector<zar::Digest> digests;
      DigestHashes known;
      for (int i = 0; i < 200; ++i) {
        // Sizes repeat, and so do contents: their order is part of the format.
        const std::uint64_t size = 4096 * (1 + random.below(std::uint64_t{1} << random.below(6)));
        zar::Digest d;
        for (auto& byte : d.bytes) byte = static_cast<std::byte>(random.below(256));
        if (i > 0 && i % 20 == 0 && items.back().size == size) d = digests.back();
        digests.push_back(d);
        known.add(d);
        packed.items.push_back({size, 0, 0, false, size >= block});
        structure::LaidItem& item = items.emplace_back();
        item.size = size, item.on_block = size >= block;
        item.key = zar::load_le<std::uint64_t>(d.bytes, 0);
      }
      const zar::Placed built =
          zar::kPlacementStable.place({packed, {}, digests, 2 * std::uint64_t{block}, block});
      const structure::LaidPlaces laid = structure::place_by_hash(
          items, 2 * std::uint64_t{block}, block, structure::PlaceHashes(&known, seed));
      EXPECT_EQ(laid.offsets, built.offsets);
      EXPECT_EQ(laid.end, built.end);
      EXPECT_EQ(laid.scrap_items, built.scrap_items);
      EXPECT_GT(built.scrap_items, 0u);
    }
}

// Drawn hashes against SHA-256 of contents: means of many, of who stays where he was.
TEST(StructureModel, DrawnHashesPlaceAsRealOnesDo) {
  constexpr int kTrials = 600, kItems = 300;
  double scrap[2] = {0, 0}, stays[2] = {0, 0};
  for (int trial = 0; trial < kTrials; ++trial) {
    Random random(7, static_cast<std::uint64_t>(trial));
    zar::Packed packed;
    std::vector<structure::LaidItem> items;
    std::vector<zar::Digest> digests[2];
    for (int i = 0; i < kItems; ++i) {
      const std::uint64_t size = 4096 + random.below(std::uint64_t{1} << (13 + random.below(6)));
      packed.items.push_back({size, 0, 0, false, size >= 65536});
      structure::LaidItem& item = items.emplace_back();
      item.size = size, item.on_block = size >= 65536, item.key = random.bits();
      zar::Digest d;
      for (auto& byte : d.bytes) byte = static_cast<std::byte>(random.below(256));
      digests[0].push_back(d);
      if (i % 10 == 0) d.bytes[0] ^= std::byte{1};
      digests[1].push_back(d);
    }
    auto changed = items;
    for (int i = 0; i < kItems; i += 10) changed[static_cast<std::size_t>(i)].key ^= 1;
    const auto real = [&](int version) {
      return zar::kPlacementStable.place({packed, {}, digests[version], 65536, 65536});
    };
    const auto before = real(0), after = real(1);
    const auto draw = static_cast<std::uint64_t>(trial);
    const structure::PlaceHashes drawn(nullptr, draw);
    const auto drawn_before = structure::place_by_hash(items, 65536, 65536, drawn);
    const auto drawn_after = structure::place_by_hash(changed, 65536, 65536, drawn);
    scrap[0] += static_cast<double>(before.scrap_items) / kTrials;
    scrap[1] += static_cast<double>(drawn_before.scrap_items) / kTrials;
    for (std::size_t i = 0; i < kItems; ++i) {
      stays[0] += before.offsets[i] == after.offsets[i] ? 1.0 / kTrials : 0;
      stays[1] += drawn_before.offsets[i] == drawn_after.offsets[i] ? 1.0 / kTrials : 0;
    }
  }
  EXPECT_NEAR(scrap[1] / scrap[0], 1, 0.03);
  EXPECT_NEAR(stays[1] / stays[0], 1, 0.03);
  EXPECT_LT(stays[0], 0.9 * kItems);
}

}  // namespace
}  // namespace missive::harness
