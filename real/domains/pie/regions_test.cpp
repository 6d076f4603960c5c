#include "real/domains/pie/regions.h"

#include <set>

#include <gtest/gtest.h>

#include "models/random.h"

namespace missive::domains::pie {
namespace {

TEST(Regions, TouchingOnesBecomeOne) {
  Regions r;
  r.add(100, 10);
  r.add(120, 10);
  EXPECT_EQ(r.intervals().size(), 2U);
  r.add(110, 10);
  ASSERT_EQ(r.intervals().size(), 1U);
  EXPECT_TRUE(r.contains(100, 30));
  EXPECT_FALSE(r.contains(100, 31));
  EXPECT_FALSE(r.contains(99));
}

TEST(Regions, AHoleSplits) {
  Regions r;
  r.add(100, 100);
  r.remove(140, 20);
  EXPECT_EQ(r.intervals().size(), 2U);
  EXPECT_EQ(r.bytes(), 80U);
  EXPECT_FALSE(r.contains(139, 2));
  EXPECT_TRUE(r.contains(160, 40));
  r.remove(0, 1000);
  EXPECT_TRUE(r.empty());
}

// Against a set of every single address.
TEST(Regions, AgreeWithAPlainSet) {
  Random random(7);
  Regions r;
  std::set<std::uintptr_t> plain;
  for (int round = 0; round < 3000; ++round) {
    const std::uintptr_t begin = random.below(200);
    const std::size_t size = random.below(30);
    const bool add = random.below(2) == 0;
    if (add)
      r.add(begin, size);
    else
      r.remove(begin, size);
    for (std::uintptr_t a = begin; a < begin + size; ++a)
      add ? (void)plain.insert(a) : (void)plain.erase(a);
    ASSERT_EQ(r.bytes(), plain.size());
    const std::uintptr_t probe = random.below(230);
    ASSERT_EQ(r.contains(probe), plain.count(probe) == 1);
  }
}

}  // namespace
}  // namespace missive::domains::pie
