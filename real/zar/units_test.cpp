#include "real/zar/units.h"

#include <set>

#include <gtest/gtest.h>

#include "models/error.h"
#include "real/zar/compare.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

constexpr Chunking kSmall{256, 1024, 4096};

// Lengths of the units of one piece, fed in portions of `portion` bytes.
std::vector<std::size_t> lengths(const std::string& data, const Chunking& c, std::size_t portion) {
  const auto cutter = kUnitCdc.cutter(4096, c);
  std::vector<std::size_t> result;
  std::size_t current = 0;
  for (std::size_t at = 0; at < data.size();) {
    const auto part =
        std::as_bytes(std::span(data)).subspan(at, std::min(portion, data.size() - at));
    const Cutter::Step step = cutter->next(part);
    current += step.count;
    at += step.count;
    if (step.ends) result.push_back(std::exchange(current, 0));
  }
  if (current > 0) result.push_back(current);
  return result;
}

TEST(Cdc, UnitsKeepToTheirBoundsAndCoverEverything) {
  for (unsigned seed = 0; seed < 10; ++seed) {
    const std::string data = noise(100'000 + seed * 997, seed);
    const auto units = lengths(data, kSmall, data.size());
    std::size_t sum = 0;
    for (std::size_t i = 0; i < units.size(); ++i) {
      sum += units[i];
      EXPECT_LE(units[i], kSmall.max);
      if (i + 1 < units.size()) {
        EXPECT_GT(units[i], kSmall.min);
      }
    }
    EXPECT_EQ(sum, data.size());
  }
}

TEST(Cdc, CutsDoNotDependOnHowTheDataArrives) {
  const std::string data = noise(50'000, 1);
  const auto whole = lengths(data, kSmall, data.size());
  for (const std::size_t portion : {1u, 7u, 256u, 4095u}) {
    EXPECT_EQ(lengths(data, kSmall, portion), whole) << portion;
  }
}

TEST(Cdc, TheAverageIsMet) {
  const std::string data = noise(8'000'000, 2);
  for (const Chunking& c : {kSmall, Chunking{2048, 8192, 65536}, Chunking{}}) {
    const double mean = 8e6 / static_cast<double>(lengths(data, c, data.size()).size());
    EXPECT_NEAR(mean, c.average, 0.25 * c.average) << c.average;
  }
}

TEST(Cdc, AnInsertionChangesUnitsNearbyOnly) {
  const std::string data = noise(400'000, 3);
  std::string changed = data;
  changed.insert(200'000, "inserted");
  const auto digests = [](const std::string& text) {
    std::multiset<Digest> result;
    std::size_t at = 0;
    for (const std::size_t n : lengths(text, kSmall, text.size())) {
      result.insert(sha256(std::as_bytes(std::span(text)).subspan(at, n)));
      at += n;
    }
    return result;
  };
  const auto before = digests(data), after = digests(changed);
  std::size_t shared = 0;
  for (const Digest& d : before) shared += after.count(d);
  EXPECT_LT(before.size() - shared, 6u);
}

TEST(Cdc, ZerosAreCutAtTheMaximum) {
  const auto units = lengths(std::string(3 * kSmall.max, '\0'), kSmall, 1 << 20);
  EXPECT_EQ(units, (std::vector<std::size_t>{kSmall.max, kSmall.max, kSmall.max}));
}

// Pins gear table, masks and the rule for the minimum: a change of one is a change of the format.
TEST(Cdc, KnownCuts) {
  std::string data(20'000, '\0');
  std::uint32_t x = 1;
  for (char& c : data) {
    x = x * 1664525 + 1013904223;
    c = static_cast<char>(x >> 24U);
  }
  EXPECT_EQ(lengths(data, kSmall, data.size()),
            (std::vector<std::size_t>{1157, 1146, 1231, 1491, 1032, 1032, 1068, 1266, 1106, 1085,
                                      1248, 1271, 673, 1234, 1089, 1028, 1208, 635}));
}

TEST(Cdc, RefusesSizesOutOfRange) {
  for (const Chunking& c :
       {Chunking{63, 1024, 4096}, Chunking{1024, 1024, 4096}, Chunking{256, 1000, 4096},
        Chunking{256, 4096, 4096}, Chunking{256, 1024, (16U << 20U) + 1}})
    EXPECT_THROW(check(c, "here"), InputError);
  EXPECT_NO_THROW(check(Chunking{}, "here"));
}

TEST(Strings, APieceIsOneUnit) {
  const auto cutter = kUnitStrings.cutter(4096, {});
  const std::string data(5000, 'x');
  const auto step = cutter->next(std::as_bytes(std::span(data)));
  EXPECT_EQ(step.count, 5000u);
  EXPECT_FALSE(step.ends);
}

Recipe blocks(const std::vector<int>& contents) {
  Recipe r;
  r.shape = {contents.size() * 4096, 4096, 2};
  for (const int c : contents) {
    const std::string text = std::to_string(c);
    r.leaves.push_back(sha256(std::as_bytes(std::span(text))));
  }
  return r;
}

TEST(Compare, TellsPlaceFromContent) {
  const Comparison c = compare(blocks({1, 2, 3, 4}), blocks({1, 3, 5, 4, 5}));
  EXPECT_EQ(c.undisturbed, (Share{2, 8192}));  // 1 and 4
  EXPECT_EQ(c.moved, (Share{1, 4096}));        // 3
  EXPECT_EQ(c.fresh, (Share{2, 8192}));        // 5, twice
  EXPECT_EQ(c.network, (Share{1, 4096}));      // but fetched once
  EXPECT_EQ(c.moved_from, (Share{1, 4096}));   // 3
  EXPECT_EQ(c.gone, (Share{1, 4096}));         // 2
  EXPECT_EQ(c.copies(), (Share{3, 12288}));
  EXPECT_EQ(c.recipe, 32u + 5 * 32);
}

TEST(Compare, AnImageAndItselfShareEverything) {
  const Comparison c = compare(blocks({1, 1, 2}), blocks({1, 1, 2}));
  EXPECT_EQ(c.undisturbed.units, 3u);
  EXPECT_EQ(c.network.units + c.copies().units + c.gone.units, 0u);
}

TEST(Compare, RefusesDifferentUnits) {
  Recipe other = blocks({1});
  other.shape.block_size = 8192;
  other.shape.length = 8192;
  EXPECT_THROW(compare(blocks({1}), other), InputError);
}

}  // namespace
}  // namespace missive::zar
