#include "real/verify/block_verifier.h"

#include <cstring>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "models/error.h"
#include "real/fd.h"
#include "real/zar/recipe.h"
#include "real/zar/test_tree.h"

namespace missive::verify {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t kBlock = 4096, kBlocks = 200;

class Blocks : public testing::TestWithParam<bool> {
 protected:
  Blocks() : image_(Mapping::anonymous(kBlocks * kBlock, "image")) {
    const std::string text = zar::noise(kBlocks * kBlock, 3);
    std::memcpy(image_.writable().data(), text.data(), text.size());
    recipe_ = zar::make_recipe(image_.bytes(), kBlock, 4);
    expected_ = {recipe_.name(), recipe_.shape, "gnumeric", 7};
    tags_ = make_block_tags(image_.bytes(), expected_, secret());
  }
  static ApplicationSecret secret(int host = 1) {
    ApplicationSecret s;
    s.bytes.fill(static_cast<std::byte>(host));
    return s;
  }
  bool keyed() const { return GetParam(); }
  std::unique_ptr<BlockVerifier> verifier() const {
    return keyed() ? BlockVerifier::by_tags(image_.bytes(), expected_, secret(), tags_)
                   : BlockVerifier::by_tree(image_.bytes(), expected_, recipe_.serialize());
  }
  template <typename Call>
  static std::string refusal(Call&& call) {
    try {
      call();
    } catch (const RunError& e) {
      EXPECT_EQ(std::string(e.what()).find('\n'), std::string::npos);
      return e.what();
    }
    ADD_FAILURE() << "accepted";
    return {};
  }
  void flip(std::uint64_t block) { image_.writable()[block * kBlock + 17] ^= std::byte{4}; }

  Mapping image_;
  zar::Recipe recipe_;
  Expected expected_;
  TagRecord tags_;
};

TEST_P(Blocks, OnlyWhatIsNeededIsLookedAtAndOnce) {
  const auto v = verifier();
  EXPECT_EQ(v->accepted_blocks(), 0u);
  v->require(5 * kBlock + 100, kBlock);  // two blocks
  v->require(6 * kBlock, 1);
  v->require(0, 0);
  EXPECT_EQ(v->accepted_blocks(), 2u);
  EXPECT_TRUE(v->accepted(5) && v->accepted(6) && !v->accepted(4) && !v->accepted(7));
  const Work w = v->work();
  EXPECT_EQ(w.bytes_authenticated, keyed() ? 2 * kBlock : 0);
  EXPECT_EQ(w.bytes_hashed, keyed() ? 0 : 2 * kBlock);
  EXPECT_EQ(w.blocks_hashed, keyed() ? 0u : 2u);
  v->require(0, image_.bytes().size());
  EXPECT_EQ(v->accepted_blocks(), kBlocks);
  EXPECT_THROW(v->require(image_.bytes().size() - 1, 2), std::out_of_range);
  EXPECT_THROW(v->require(~std::uint64_t{0}, 2), std::out_of_range);
}

// Pages nobody may read: a look at any other block than those needed would end this program.
TEST_P(Blocks, NothingElseIsEvenRead) {
  const auto v = verifier();
  std::byte* const base = image_.writable().data();
  ASSERT_EQ(::mprotect(base, kBlocks * kBlock, PROT_NONE), 0);
  ASSERT_EQ(::mprotect(base + 9 * kBlock, 2 * kBlock, PROT_READ), 0);
  v->require(9 * kBlock, 2 * kBlock);
  EXPECT_EQ(v->accepted_blocks(), 2u);
  ASSERT_EQ(::mprotect(base, kBlocks * kBlock, PROT_READ | PROT_WRITE), 0);
}

TEST_P(Blocks, AnyWrongBlockIsFoundNamedAndRemembered) {
  for (const std::uint64_t wrong : {std::uint64_t{0}, std::uint64_t{63}, kBlocks - 1}) {
    flip(wrong);
    const auto v = verifier();
    int told = 0;
    v->on_failure([&] { ++told; });
    v->require(100 * kBlock, 10 * kBlock);
    const std::string why = refusal([&] { v->require(0, image_.bytes().size()); });
    EXPECT_THAT(why, HasSubstr("block " + std::to_string(wrong) + " of 200"));
    EXPECT_THAT(why, HasSubstr("gnumeric version 7"));
    EXPECT_FALSE(v->accepted(wrong));
    EXPECT_EQ(v->failure(), why);
    EXPECT_EQ(refusal([&] { v->require(wrong * kBlock, 1); }), why);
    EXPECT_EQ(told, 1);
    EXPECT_NO_THROW(v->require(105 * kBlock, 1)) << "what was right stays right";
    flip(wrong);
  }
}

TEST_P(Blocks, BlocksThatChangedPlacesAreRefused) {
  const auto bytes = image_.writable();
  std::swap_ranges(bytes.begin(), bytes.begin() + kBlock, bytes.begin() + 7 * kBlock);
  EXPECT_THAT(refusal([&] { verifier()->require(7 * kBlock, 1); }), HasSubstr("block 7 "));
}

TEST_P(Blocks, ManyThreadsAtOnceCountEachBlockOnce) {
  const auto v = verifier();
  std::vector<std::jthread> threads;
  for (std::uint64_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < kBlocks; ++i)
        v->require((i * (2 * t + 1) + 31 * t) % kBlocks * kBlock, kBlock);
    });
  threads.clear();
  EXPECT_EQ(v->accepted_blocks(), kBlocks);
}

INSTANTIATE_TEST_SUITE_P(Verifiers, Blocks, testing::Bool(), [](const auto& each) {
  return std::string(each.param ? "mac" : "sha256");
});

class Records : public Blocks {};
INSTANTIATE_TEST_SUITE_P(Mac, Records, testing::Values(true));

TEST_P(Records, EveryByteOfARecordCounts) {
  EXPECT_EQ(tags_.bytes.size(), block_tags_bytes(kBlocks));
  EXPECT_EQ(open_block_tags(tags_, expected_, secret()).size(), kBlocks);
  for (std::size_t at = 0; at < tags_.bytes.size(); at += at < 80 ? 1 : 61) {
    TagRecord bad = tags_;
    bad.bytes[at] ^= std::byte{1};
    refusal([&] { open_block_tags(bad, expected_, secret()); });
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{64}, tags_.bytes.size() - 16}) {
    TagRecord cut = tags_;
    cut.bytes.resize(size);
    EXPECT_THAT(refusal([&] { open_block_tags(cut, expected_, secret()); }), HasSubstr("instead"));
  }
}

TEST_P(Records, IsForOneHostImageVersionAndApplication) {
  EXPECT_THAT(refusal([&] { open_block_tags(tags_, expected_, secret(2)); }),
              HasSubstr("not made by this host"));
  Expected other = expected_;
  other.version = 6;
  EXPECT_THAT(refusal([&] { open_block_tags(tags_, other, secret()); }), HasSubstr("another"));
  // Relabelled, it is still bound to what it was made for.
  TagRecord relabelled = make_block_tags(image_.bytes(), other, secret());
  relabelled.bytes[48] = std::byte{7};
  EXPECT_THAT(refusal([&] { open_block_tags(relabelled, expected_, secret()); }),
              HasSubstr("not made by this host"));
  other = expected_;
  other.application = "abiword";
  refusal([&] { open_block_tags(tags_, other, secret()); });
  other = expected_;
  other.name.bytes[0] ^= std::byte{1};
  refusal([&] { open_block_tags(tags_, other, secret()); });
}

TEST_P(Records, TagsOfEqualBlocksDiffer) {
  const auto bytes = image_.writable();
  std::copy_n(bytes.begin(), kBlock, bytes.begin() + kBlock);
  const auto tags =
      open_block_tags(make_block_tags(bytes, expected_, secret()), expected_, secret());
  EXPECT_NE(tags[0], tags[1]) << "else one block could stand for the other";
}

class Recipes : public Blocks {};
INSTANTIATE_TEST_SUITE_P(Tree, Recipes, testing::Values(false));

TEST_P(Recipes, OnlyTheSignedOneIsTaken) {
  const auto with = [&](const std::vector<std::byte>& wire) {
    return refusal([&] { BlockVerifier::by_tree(image_.bytes(), expected_, wire); });
  };
  zar::Recipe lie = recipe_;
  lie.leaves[3].bytes[5] ^= std::byte{1};
  EXPECT_THAT(with(lie.serialize()), HasSubstr("not that of the signed image"));
  lie = recipe_;
  std::swap(lie.leaves[0], lie.leaves[1]);
  EXPECT_THAT(with(lie.serialize()), HasSubstr("not that of the signed image"));
  auto cut = recipe_.serialize();
  cut.resize(cut.size() / 2);
  with(cut);
  with({});
  EXPECT_EQ(recipe_.serialize().size(), zar::recipe_bytes(recipe_.shape));
}

TEST_P(Recipes, AnotherLengthIsRefusedBeforeAnythingIsRead) {
  EXPECT_THAT(refusal([&] {
                BlockVerifier::by_tree(image_.bytes().first(kBlock), expected_,
                                       recipe_.serialize());
              }),
              HasSubstr("where the vendor signed"));
}

}  // namespace
}  // namespace missive::verify
