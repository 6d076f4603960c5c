#include "models/structure_update.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

#include "models/random.h"

namespace missive {
namespace {

constexpr std::uint64_t kBlock = 65536, kPage = 4096;

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
  stamped.kind = EditKind::resized;
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
  const auto known = predict_update(from, to, design("stable"), {}, {&hashes, nullptr, {}});
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

// A file grows by `grows` pages; behind it lies an unchanged one of 40 pages, of which `zeros`,
// from page `first` on, have nothing but zeros in them. Pages of the latter to be copied.
double pages_copied(std::uint64_t first, std::uint64_t zeros, std::uint64_t grows,
                    std::uint64_t block_pages, bool told) {
  const StructureFacts from = image({10 * kPage * block_pages, 40 * kPage});
  StructureFacts to = from;
  change(to, 0, from.files[0].size + grows * kPage);
  HeldPages held;
  std::vector<std::uint64_t>& pages = held[from.files[1].content];
  for (std::uint64_t page = 0; page < 40; ++page)
    pages.push_back(page >= first && page < first + zeros ? 0 : 1000 + page);
  StructureDesign d = design();
  d.block_size = block_pages * kPage;
  const auto p = predict_update(from, to, d, {}, {nullptr, told ? &held : nullptr, {}});
  return p.copied->value / kPage - static_cast<double>((1 + 10) * block_pages + grows);
}

TEST(StructureUpdate, ZerosThatMoveByLessThanTheirLengthLieWhereZerosLay) {
  for (const std::uint64_t zeros : {0, 1, 2, 8, 20})
    for (const std::uint64_t grows : {1, 2, 7, 9}) {
      const double stay = zeros > grows ? static_cast<double>(zeros - grows) : 0;
      EXPECT_EQ(pages_copied(5, zeros, grows, 1, true), 40 - stay) << zeros << " " << grows;
      EXPECT_EQ(pages_copied(5, zeros, grows, 1, false), 40);
    }
}

// Blocks of p pages: z - g - p + 1 places, of which one in p is that of a block.
TEST(StructureUpdate, ABlockStaysWhereAllItsPagesDo) {
  for (const std::uint64_t per : {2, 4, 8})
    for (const std::uint64_t zeros : {5, 16, 24}) {
      const std::uint64_t grows = per;
      double stay = 0;
      for (std::uint64_t first = 0; first < per; ++first)
        stay += (40 - pages_copied(first, zeros, grows, per, true)) / static_cast<double>(per);
      const double places =
          static_cast<double>(zeros) - static_cast<double>(grows) - static_cast<double>(per) + 1;
      EXPECT_EQ(stay, std::max(0.0, places)) << per << " " << zeros;
    }
}

TEST(StructureUpdate, PagesThatAreEqualAreFetchedOnceAndThoseThatAreThereNotAtAll) {
  StructureFacts from = image({10 * kPage, 10 * kPage});
  StructureFacts to = from;
  to.files.push_back(to.files[1]);  // a file of pages that the image has, but in other order
  to.files.back().content = 77;
  HeldPages held;
  for (std::uint64_t page = 0; page < 10; ++page) {
    held[from.files[0].content].push_back(100 + page);
    held[77].push_back(109 - page);
  }
  StructureDesign d = design();
  d.block_size = kPage;
  const auto p = predict_update(from, to, d, {}, {nullptr, &held, {}});
  EXPECT_EQ(p.network->value, kPage);  // the index
  EXPECT_EQ(predict_update(from, to, d, {}).network->value, (1 + 10) * kPage);
  held[77].assign(10, 5);
  EXPECT_EQ(predict_update(from, to, d, {}, {nullptr, &held, {}}).network->value, (1 + 1) * kPage);
}

// A table that a program fills when it runs is zeros before and after the program is compiled anew,
// at the same distance from the end.
TEST(StructureUpdate, ZerosOfAChangedFileStayZerosAndAreNoPartOfTheDamage) {
  EXPECT_EQ(zeros_after({1, 0, 0, 2}, 4), std::vector<bool>({false, true, true, false}));
  EXPECT_EQ(zeros_after({1, 0, 0, 2}, 6),
            std::vector<bool>({false, false, false, true, true, false}));
  EXPECT_EQ(zeros_after({1, 0, 0, 2}, 2), std::vector<bool>({true, false}));
  StructureDesign d = design();
  d.block_size = kPage;
  for (const std::uint64_t grows : {0, 3}) {
    const StructureFacts from = image({40 * kPage});
    StructureFacts to = from;
    change(to, 0, (40 + grows) * kPage);
    HeldPages held;
    for (std::uint64_t page = 0; page < 40; ++page)
      held[from.files[0].content].push_back(page >= 20 && page < 36 ? 0 : 100 + page);
    EditProfile half;  // of four pages; the file has 24 that are not zeros
    half.kind = grows > 0 ? EditKind::resized : EditKind::same;
    half.kept = {false, true, false, true};
    const auto p = predict_update(from, to, d, {half}, {nullptr, &held, {}});
    // 24 others have both ends and each other between; what is kept lies where it lay.
    if (grows == 0) {
      EXPECT_EQ(p.network->value, (1 + 12) * kPage);
    }
    const auto none = predict_update(from, to, d, {}, {nullptr, &held, {}});
    EXPECT_EQ(none.network->value, (1 + 24 + static_cast<double>(grows)) * kPage);
    EXPECT_EQ(none.copied->value,
              (1 + 24 + static_cast<double>(grows) + static_cast<double>(grows)) * kPage);
  }
}

TEST(StructureUpdate, TwinsHaveTheSameDamageAndTheirNewPagesAreFetchedOnce) {
  const StructureFacts from = image({41 * kPage, 40 * kPage});
  StructureFacts to = from;
  change(to, 0, 41 * kPage), change(to, 1, 40 * kPage);
  HeldPages held;
  for (std::uint64_t page = 0; page < 41; ++page)  // the first has a page more in front
    held[from.files[0].content].push_back(100 + page);
  for (std::uint64_t page = 0; page < 40; ++page)
    held[from.files[1].content].push_back(page == 0 ? 99 : 101 + page);
  StructureDesign d = design();
  d.block_size = kPage;
  const auto fetched = [&](const std::vector<EditProfile>& profiles) {
    return *predict_update(from, to, d, profiles, {nullptr, &held, {}}).network;
  };
  EXPECT_EQ(fetched({}).value, (1 + 41 + 1) * kPage);
  EditProfile all, nothing;
  all.content = 98, nothing.content = 99;
  all.kept.assign(40, true), nothing.kept.assign(40, false);
  const Predicted either = fetched({all, nothing});  // never one with the one and one the other
  EXPECT_EQ(either.spread->first, kPage);
  EXPECT_EQ(either.spread->second, (1 + 41 + 1) * kPage);
  const double rebuilt = (either.value / kPage - 1) * 39 / 42;
  EXPECT_NEAR(rebuilt, std::round(rebuilt), 1e-9);
  EXPECT_NEAR(rebuilt, 19.5, 0.6);  // each of two as often as the other, of 39
}

// What the image itself changed, seen in another application, is no matter of chance.
TEST(StructureUpdate, TheVerySameChangeHasTheVerySameDamage) {
  const StructureFacts from = image({70000, 40 * kBlock});
  StructureFacts to = from;
  change(to, 1, 40 * kBlock);
  EditProfile own, other;
  own.content = to.files[1].content, own.old_content = to.files[1].old_content;
  own.kept.assign(640, true);
  own.kept[300] = false;
  other.content = 98, other.old_content = 97;
  other.kept.assign(640, false);
  const auto p = predict_update(from, to, design(), {other, own});
  EXPECT_EQ(p.network->value, (1 + 1) * kBlock);
  EXPECT_FALSE(p.network->spread);
  EXPECT_EQ(seen_changes({other, own}, to).seen, 1u);
  EXPECT_EQ(seen_changes({other, own}, to).changed, 1u);
  own.old_content = 96;  // from another version: a change like any other
  EXPECT_EQ(seen_changes({other, own}, to).seen, 0u);
  EXPECT_TRUE(predict_update(from, to, design(), {other, own}).network->spread);
}

// What lies behind a part that grew by whole pages is moved: to copy, but not to fetch where a
// block of the older image is found in it.
TEST(StructureUpdate, PagesThatMovedAreFetchedOnlyInBlocksThatTheyDoNotFill) {
  const StructureFacts from = image({70000, 40 * kBlock});
  StructureFacts to = from;
  change(to, 1, 40 * kBlock + 2 * kPage);
  EditProfile own;
  own.content = to.files[1].content, own.old_content = to.files[1].old_content,
  own.kind = EditKind::resized;
  own.kept.assign(642, false);
  own.moved.assign(642, 0);
  std::fill_n(own.moved.begin() + 322, 320, -2);  // the second half
  const auto pages = [&](std::uint64_t block_pages) {
    StructureDesign d = design();
    d.block_size = block_pages * kPage;
    return predict_update(from, to, d, {own});
  };
  EXPECT_EQ(pages(1).network->value, (1 + 322) * kPage);
  EXPECT_EQ(pages(1).copied->value, (1 + 642) * kPage);
  EXPECT_EQ(pages(2).network->value, (2 + 322) * kPage);  // moved by a block
  EXPECT_EQ(pages(4).network->value, (4 + 644) * kPage);  // by half of one
  // Out of the older file there is nothing.
  std::fill_n(own.moved.begin() + 322, 320, 2000);
  EXPECT_EQ(pages(1).network->value, (1 + 642) * kPage);
}

// Two changed files, each either stamped or rebuilt: four numbers that could be counted.
TEST(StructureUpdate, ToldTheDamageAtOneBlockSizeTheModelKnowsItAtOthers) {
  const StructureFacts from = image({70000, 40 * kBlock, 20 * kBlock});
  StructureFacts to = from;
  change(to, 1, 40 * kBlock), change(to, 2, 20 * kBlock);
  EditProfile stamped, rebuilt;
  stamped.content = 98, rebuilt.content = 99;
  stamped.kept.assign(400, true), rebuilt.kept.assign(400, false);
  stamped.kept.front() = stamped.kept.back() = false;
  StructureDesign small = design();
  small.block_size = kPage;
  EXPECT_TRUE(predict_update(from, to, small, {stamped, rebuilt}).network->spread);
  for (const double large : {2.0, 40.0})
    for (const double medium : {2.0, 20.0}) {
      const auto draws =
          draws_near((1 + large + medium) * kBlock, from, to, design(), {stamped, rebuilt});
      EXPECT_EQ(draws.size(), 39u);
      const auto p = predict_update(from, to, small, {stamped, rebuilt}, {nullptr, nullptr, draws});
      const double pages = 1 + (large > 2 ? 640 : 2) + (medium > 2 ? 320 : 2);
      EXPECT_EQ(p.network->value, pages * kPage) << large << " " << medium;
      EXPECT_FALSE(p.network->spread);
    }
  EXPECT_TRUE(draws_near(0, from, from, design(), {stamped}).empty());  // nothing is drawn
}

// A source package is built anew because something in it was mended: where a file is all that its
// build changed, it was that.
TEST(StructureUpdate, WhatIsAllOfItsBuildIsAKindOfItsOwn) {
  StructureFacts f = image({100 * kPage, 9 * kPage, 50 * kPage, 40 * kPage, 30 * kPage, 20 * kPage,
                            20 * kPage, 100, 8 * kPage});
  for (std::size_t i = 0; i < 8; ++i) change(f, i, f.files[i].size + (i == 4 ? kPage : 0));
  f.files[0].build = f.files[1].build = 1;                     // nine tenths and its changelog
  f.files[2].build = f.files[3].build = 2;                     // either may be it
  f.files[4].build = 3;                                        // another size
  f.files[5].build = f.files[6].build = f.files[7].build = 4;  // equal contents, and a small file
  f.files[6].content = f.files[5].content;
  const auto kinds = edit_kinds(f);
  const auto kind = [&](std::size_t i) { return kinds.at(f.files[i].content); };
  EXPECT_EQ(kinds.size(), 6u);  // not the small one, not the unchanged one
  EXPECT_EQ(kind(0), EditKind::alone);
  EXPECT_EQ(kind(1), EditKind::same);
  EXPECT_EQ(kind(2), EditKind::same);
  EXPECT_EQ(kind(3), EditKind::same);
  EXPECT_EQ(kind(4), EditKind::resized);
  EXPECT_EQ(kind(5), EditKind::alone);
  for (FileFact& file : f.files) file.build = 0;  // not known
  EXPECT_EQ(edit_kinds(f).at(f.files[5].content), EditKind::same);
}

TEST(StructureUpdate, WhatIsAllOfItsBuildIsNotTakenForStamped) {
  const StructureFacts from = image({70000, 40 * kBlock});
  StructureFacts to = from;
  change(to, 1, 40 * kBlock);
  EditProfile stamped, rebuilt;
  stamped.content = 98, rebuilt.content = 99, rebuilt.kind = EditKind::alone;
  stamped.kept.assign(640, true), rebuilt.kept.assign(640, false);
  const auto fetched = [&](const std::vector<EditProfile>& profiles) {
    return predict_update(from, to, design(), profiles).network->value;
  };
  EXPECT_EQ(fetched({stamped, rebuilt}), 1 * kBlock);
  to.files[1].build = 7;
  EXPECT_EQ(fetched({stamped, rebuilt}), 41 * kBlock);
  EXPECT_EQ(fetched({stamped}), 1 * kBlock);  // nothing else to learn from
}

// Twelve builds teach what forty changed files go through. Each keeps a part of its pages, all its
// five files the same; the truth is drawn as they are. How many of 120 intervals hold it.
int intervals_that_hold(bool builds_known) {
  constexpr std::size_t kPages = 40, kFiles = 40, kBuilds = 12, kOfEach = 5;
  const StructureFacts from = image(std::vector<std::uint64_t>(kFiles, kPages * kPage));
  StructureFacts to = from;
  for (std::size_t i = 0; i < kFiles; ++i) change(to, i, kPages * kPage);
  StructureDesign d = design();
  d.block_size = kPage;
  int held = 0;
  for (std::uint64_t world = 0; world < 120; ++world) {
    Random random(3, world);
    std::vector<EditProfile> profiles;
    for (std::size_t build = 1; build <= kBuilds; ++build) {
      const std::size_t kept = random.below(kPages + 1);
      for (std::size_t i = 0; i < kOfEach; ++i) {
        EditProfile& p = profiles.emplace_back();
        p.content = world << 20U | build << 10U | i;
        if (builds_known) p.build = world << 20U | build;
        p.kept.assign(kPages, false);
        std::fill_n(p.kept.begin(), kept, true);
      }
    }
    double lacks = 1;  // the index
    for (std::size_t i = 0; i < kFiles; ++i)
      lacks += kPages - static_cast<double>(random.below(kPages + 1));
    const Predicted p = *predict_update(from, to, d, profiles).network;
    held += lacks * kPage >= p.spread->first && lacks * kPage <= p.spread->second;
  }
  return held;
}

TEST(StructureUpdate, IntervalsHoldNineTenthsAlsoOfWhatFewBuildsTeach) {
  EXPECT_GE(intervals_that_hold(true), 120 * 83 / 100);
  EXPECT_LE(intervals_that_hold(false),
            120 * 75 / 100);  // as if all files were builds of their own
}

TEST(StructureUpdate, AnIntervalIsAsWideAsErrorsElsewhereWere) {
  const Predicted drawn{100, false, {{95, 120}}}, certain{100, false}, exact{100, true};
  EXPECT_EQ(*widened(drawn, 0.1).spread, std::pair(90.0, 120.0));
  EXPECT_EQ(*widened(drawn, 0.01).spread, std::pair(95.0, 120.0));
  EXPECT_EQ(*widened(drawn, 0).spread, std::pair(95.0, 120.0));
  EXPECT_EQ(*widened(certain, 0.25).spread, std::pair(75.0, 125.0));
  EXPECT_FALSE(widened(certain, 0).spread);
  EXPECT_FALSE(widened(exact, 0.25).spread);
  // Of 31 errors that are drawn alike the last one is among the 28 smallest 28 times in 31.
  int held = 0;
  for (std::uint64_t world = 0; world < 1000; ++world) {
    Random random(5, world);
    std::vector<double> errors(30);
    for (double& e : errors) e = std::abs(random.lognormal(0, 1) - 1);
    std::sort(errors.begin(), errors.end());
    const double count = 100 * (1 + random.lognormal(0, 1) - 1);
    const auto spread = *widened(certain, errors[27]).spread;
    held += count >= spread.first && count <= spread.second;
  }
  EXPECT_NEAR(held, 1000 * 28 / 31.0, 35);
}

TEST(StructureUpdate, LikeSizesAreDrawnFromAndEndsFallOnEnds) {
  std::vector<EditProfile> profiles(12);
  for (std::size_t i = 0; i < profiles.size(); ++i)
    profiles[i].kept.assign(std::size_t{1} << i, true);
  EXPECT_EQ(profiles_like(profiles, EditKind::same, 64).size(), 5u);  // 16 .. 256
  EXPECT_EQ(profiles_like(profiles, EditKind::same, 1 << 20).size(), 5u);
  EXPECT_TRUE(profiles_like(profiles, EditKind::resized, 64).empty());
  EditProfile p;
  p.kept = {false, true, false, true, false};
  std::string pages;
  for (std::uint64_t page = 0; page < 9; ++page)
    pages += p.kept[page_like(p.kept.size(), page, 9)] ? '#' : '.';
  EXPECT_EQ(pages, ".#.##.##.");
}

}  // namespace
}  // namespace missive
