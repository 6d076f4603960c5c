#include "real/zar/recipe.h"

#include <gtest/gtest.h>

#include "models/error.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

Recipe sample() {
  const std::string data = noise(5 * 4096, 3);
  return make_recipe(std::as_bytes(std::span(data)), 4096, 4);
}

TEST(Recipe, ComesBackFromItsWireForm) {
  const Recipe r = sample();
  const auto wire = r.serialize();
  EXPECT_EQ(wire.size(), 32u + 5u * 32u);
  const Recipe back = Recipe::parse(wire, "test");
  EXPECT_EQ(back.shape, r.shape);
  EXPECT_EQ(back.leaves, r.leaves);
  EXPECT_EQ(back.name(), r.name());
}

TEST(Recipe, ThatLiesAboutABlockHasAnotherName) {
  const Recipe honest = sample();
  for (std::size_t i = 0; i < honest.leaves.size(); ++i) {
    Recipe liar = honest;
    liar.leaves[i] = sha256({});
    EXPECT_NE(Recipe::parse(liar.serialize(), "test").name(), honest.name());
  }
  Recipe swapped = honest;
  std::swap(swapped.leaves[0], swapped.leaves[4]);
  EXPECT_NE(swapped.name(), honest.name());
  Recipe degree = honest;
  degree.shape.degree = 5;
  EXPECT_NE(degree.name(), honest.name());
}

TEST(Recipe, RefusesEveryOtherLength) {
  const auto wire = sample().serialize();
  for (std::size_t n = 0; n < wire.size(); ++n)
    EXPECT_THROW(Recipe::parse(std::span(wire).first(n), "test"), InputError) << n;
  auto longer = wire;
  longer.resize(wire.size() + 32);
  EXPECT_THROW(Recipe::parse(longer, "test"), InputError);
}

TEST(Recipe, SurvivesAnyByteOfItsHeader) {
  const auto wire = sample().serialize();
  const Digest name = sample().name();
  for (std::size_t at = 0; at < 32; ++at)
    for (int value = 0; value < 256; ++value) {
      auto changed = wire;
      changed[at] = static_cast<std::byte>(value);
      try {
        const Recipe r = Recipe::parse(changed, "test");
        EXPECT_TRUE(changed == wire || r.name() != name);
      } catch (const InputError&) {
      }
    }
}

TEST(Recipe, AHugeClaimAllocatesNothing) {
  auto wire = sample().serialize();
  wire[20] = std::byte{0x10};  // length: 64 GiB more; a vector for that would be 512 MiB of hashes
  EXPECT_THROW(Recipe::parse(wire, "test"), InputError);
}

TEST(Recipe, RefusesAnImageThatIsNotWholeBlocks) {
  const std::string data = noise(5000, 3);
  EXPECT_THROW(make_recipe(std::as_bytes(std::span(data)), 4096, 4), InputError);
  EXPECT_THROW(make_recipe({}, 4096, 4), InputError);
}

}  // namespace
}  // namespace missive::zar
