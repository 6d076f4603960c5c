#include "real/cache/free_space.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace missive::cache {
namespace {

TEST(FreeSpace, TakesTheLowestRangeThatIsLongEnough) {
  FreeSpace space;
  space.give(100, 10);
  space.give(200, 30);
  space.give(300, 20);
  EXPECT_EQ(space.take(20), 200U);
  EXPECT_EQ(space.take(10), 100U);
  EXPECT_EQ(space.take(15), 300U);
  EXPECT_EQ(space.take(11), std::nullopt) << "10 and 5 bytes are left, apart";
  EXPECT_EQ(space.bytes(), 15U);
  EXPECT_EQ(space.ranges(), 2U);
}

TEST(FreeSpace, JoinsNeighboursInAnyOrder) {
  for (const auto& order : std::vector<std::vector<std::uint64_t>>{
           {0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}) {
    FreeSpace space;
    for (const std::uint64_t i : order) space.give(10 * i, 10);
    EXPECT_EQ(space.ranges(), 1U);
    EXPECT_EQ(space.take(30), 0U);
  }
}

TEST(FreeSpace, CutsOnlyWhatReachesTheEnd) {
  FreeSpace space;
  space.give(10, 10);
  space.give(40, 10);
  EXPECT_EQ(space.cut_end(60), 60U);
  EXPECT_EQ(space.cut_end(50), 40U);
  EXPECT_EQ(space.bytes(), 10U);
  EXPECT_EQ(FreeSpace().cut_end(7), 7U);
}

// Against one flag for each byte.
TEST(FreeSpace, AgreesWithAPlainMapOfBytes) {
  std::mt19937_64 random(1);
  constexpr std::uint64_t kEnd = 400;
  std::vector<bool> is_free(kEnd, false);
  FreeSpace space;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> held;
  for (std::uint64_t at = 0; at < kEnd; at += 20) held.emplace_back(at, 20);
  for (int step = 0; step < 3000; ++step) {
    if (!held.empty() && random() % 2 == 0) {
      const std::size_t i = random() % held.size();
      const auto [offset, length] = held[i];
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(i));
      space.give(offset, length);
      for (std::uint64_t b = 0; b < length; ++b) is_free[offset + b] = true;
    } else {
      const std::uint64_t length = 1 + random() % 30;
      std::optional<std::uint64_t> expected;
      for (std::uint64_t at = 0, run = 0; at < kEnd && !expected; ++at) {
        run = is_free[at] ? run + 1 : 0;
        if (run == length) expected = at + 1 - length;
      }
      ASSERT_EQ(space.take(length), expected);
      if (!expected) continue;
      held.emplace_back(*expected, length);
      for (std::uint64_t b = 0; b < length; ++b) is_free[*expected + b] = false;
    }
    ASSERT_EQ(space.bytes(), static_cast<std::uint64_t>(std::ranges::count(is_free, true)));
  }
}

}  // namespace
}  // namespace missive::cache
