#include "models/structure_update.h"

#include <gtest/gtest.h>

namespace missive {
namespace {

constexpr std::uint64_t kBlock = 65536;

StructureFacts image(const std::vector<std::uint64_t>& sizes) {
  StructureFacts f;
  for (const std::uint64_t size : sizes) {
    EntryFact& e = f.index.emplace_back();
    e.file = static_cast<std::uint32_t>(f.files.size());
    e.name = e.file, e.stamp = size, e.texts = 2;
    FileFact& file = f.files.emplace_back();
    file.size = size, file.content = f.files.size(), file.change = FileChange::same;
  }
  f.entries = sizes.size(), f.strings = 2 * sizes.size();
  return f;
}

void change(StructureFacts& f, std::size_t i, std::uint64_t size) {
  FileFact& file = f.files[i];
  file.change = FileChange::changed;
  file.old_size = file.size, file.old_content = file.content;
  file.size = size, file.content += 1000;
  f.index[i].stamp += 1000;
}

StructureDesign design(const std::string& placement = "in-order") {
  StructureDesign d;
  d.placement = placement;
  return d;
}

TEST(StructureUpdate, WhereNothingChangedNothingIsLacking) {
  const StructureFacts f = image({100, 5000, 70000, 200000});
  for (const char* placement : {"in-order", "greedy", "stable", "launch"}) {
    const auto p = predict_update(f, f, design(placement), {});
    EXPECT_EQ(p.network->value, 0) << placement;
    EXPECT_EQ(p.copied->value, 0) << placement;
  }
}

TEST(StructureUpdate, AChangedFileAndTheIndexAreFetched) {
  const StructureFacts from = image({100, 5000, 70000, 200000});
  StructureFacts to = from;
  change(to, 3, 200000);
  const auto p = predict_update(from, to, design(), {});
  EXPECT_EQ(p.network->value, (1 + 4) * kBlock);
  EXPECT_EQ(p.copied->value, (1 + 4) * kBlock);
}

TEST(StructureUpdate, AFileThatGrowsByABlockMovesWhatFollowsAndDoesNotChangeIt) {
  const StructureFacts from = image({70000, 200000});
  StructureFacts to = from;
  change(to, 0, 140000);
  const auto p = predict_update(from, to, design(), {});
  EXPECT_EQ(p.network->value, (1 + 3) * kBlock);
  EXPECT_EQ(p.copied->value, (1 + 3 + 4) * kBlock);
}

TEST(StructureUpdate, WhatSharesABlockWithAChangedFileIsFetchedWithIt) {
  const StructureFacts from = image({5000, 6000, 7000, 8000});
  StructureFacts to = from;
  change(to, 1, 6001);
  EXPECT_EQ(predict_update(from, to, design(), {}).network->value, 2 * kBlock);
}

TEST(StructureUpdate, StringsAreWholeFiles) {
  const StructureFacts from = image({100, 5000, 70000, 200000});
  StructureFacts to = from;
  change(to, 2, 70000);
  StructureDesign d = design();
  d.units = "strings";
  EXPECT_EQ(predict_update(from, to, d, {}).network->value, kBlock + 70000);
}

TEST(StructureUpdate, PagesSurviveAsThoseOfOtherChangedFilesDid) {
  const StructureFacts from = image({70000, 40 * kBlock});
  StructureFacts to = from;
  change(to, 1, 40 * kBlock);
  EditProfile stamped;  // first and last page are new
  stamped.kept.assign(640, true);
  stamped.kept.front() = stamped.kept.back() = false;
  const auto p = predict_update(from, to, design(), {stamped});
  EXPECT_EQ(p.network->value, (1 + 2) * kBlock);
  EXPECT_FALSE(p.network->spread);  // one profile: every draw is the same
  EditProfile rebuilt = stamped;
  rebuilt.kept.assign(640, false);
  const auto either = predict_update(from, to, design(), {stamped, rebuilt});
  EXPECT_EQ(either.network->spread->first, 3 * kBlock);
  EXPECT_EQ(either.network->spread->second, 41 * kBlock);
  // Damage of files that changed their size is not that of those that did not.
  stamped.resized = true;
  EXPECT_EQ(predict_update(from, to, design(), {stamped}).network->value, 41 * kBlock);
}

// Hashes that are known: every content wants the block of its number, then the next one.
class InTurn : public ContentHashes {
 public:
  std::optional<std::uint64_t> order(std::uint64_t content) const override { return content; }
  std::optional<std::uint64_t> wish(std::uint64_t content, unsigned attempt) const override {
    return (content % 1000 + attempt) * kBlock;
  }
};

TEST(StructureUpdate, KnownHashesLeaveNothingToDraw) {
  const StructureFacts from = image({70000, 70000, 70000, 70000, 70000, 70000, 70000, 70000});
  StructureFacts to = from;
  change(to, 7, 70000);
  const auto drawn = predict_update(from, to, design("stable"), {});
  EXPECT_TRUE(drawn.copied->spread);
  const InTurn hashes;
  const auto known = predict_update(from, to, design("stable"), {}, &hashes);
  EXPECT_FALSE(known.copied->spread);
  EXPECT_EQ(known.copied->value, (1 + 2) * kBlock);  // it takes the place of its old self
  EXPECT_TRUE(predict_structure(from, design("stable"), &hashes).scrap_items->exact);
  EXPECT_FALSE(predict_structure(from, design("stable")).scrap_items->exact);
}

TEST(StructureUpdate, WhatTheImageItselfHoldsIsNotLearntFrom) {
  StructureFacts to = image({70000});
  change(to, 0, 70000);
  EditProfile own, elsewhere, other;
  own.content = to.files[0].content, other.content = 99;
  elsewhere.content = 98, elsewhere.old_content = to.files[0].old_content;  // of another version
  const auto left = of_others({own, elsewhere, other}, to);
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].content, 99u);
}

TEST(StructureUpdate, LikeSizesAreDrawnFromAndEndsFallOnEnds) {
  std::vector<EditProfile> profiles(12);
  for (std::size_t i = 0; i < profiles.size(); ++i)
    profiles[i].kept.assign(std::size_t{1} << i, true);
  EXPECT_EQ(profiles_like(profiles, false, 64).size(), 5u);  // 16 .. 256
  EXPECT_EQ(profiles_like(profiles, false, 1 << 20).size(), 5u);
  EXPECT_TRUE(profiles_like(profiles, true, 64).empty());
  EditProfile p;
  p.kept = {false, true, false, true, false};
  std::string pages;
  for (std::uint64_t page = 0; page < 9; ++page) pages += kept_page(p, page, 9) ? '#' : '.';
  EXPECT_EQ(pages, ".#.##.##.");
}

}  // namespace
}  // namespace missive
