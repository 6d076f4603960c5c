#include "harness/structure_edits.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/test_support.h"
#include "models/error.h"
#include "real/gzip.h"
#include "real/zar/test_tree.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;

std::vector<RecordedEdit> round_trip(const std::string& text) {
  const zar::TemporaryDirectory out;
  write_gzip(out.path() / "e.gz", text);
  return read_edits(out.path() / "e.gz");
}

std::string error_of(const std::string& text) {
  try {
    round_trip(text);
  } catch (const InputError& e) {
    return e.what();
  }
  return "";
}

TEST(StructureEdits, WhatIsWrittenIsRead) {
  EditProfile a, b;
  a.content = 0xfedcba9876543210, a.old_content = 1, a.kind = EditKind::resized, a.build = 77;
  a.kept = {false, false, true, false, true, true};
  a.moved = {0, 3, 0, -2, 0, 0};
  b.content = 2, b.kept = {true}, b.kind = EditKind::alone;
  RecordedEdits edits;
  edits.add(a, {"x>y"}), edits.add(b, {"x>y"}), edits.add(b, {"u>v"});
  const auto read = round_trip(edits.text());
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[1].edit.content, a.content);
  EXPECT_EQ(read[1].edit.old_content, a.old_content);
  EXPECT_EQ(read[1].edit.kind, EditKind::resized);
  EXPECT_EQ(read[1].edit.build, 77u);
  EXPECT_EQ(read[1].edit.kept, a.kept);
  EXPECT_EQ(read[1].edit.moved, a.moved);
  EXPECT_TRUE(read[0].edit.moved.empty());
  EXPECT_EQ(read[1].images, std::set<std::string>({"x>y"}));
  EXPECT_EQ(read[0].edit.kind, EditKind::alone);
  EXPECT_EQ(read[0].edit.kept, b.kept);
  EXPECT_EQ(read[0].images, std::set<std::string>({"u>v", "x>y"}));
}

// Whoever predicts an application knows nothing that was counted of it alone, in whatever version.
TEST(StructureEdits, ElsewhereIsInOtherApplications) {
  EXPECT_EQ(application_of("abiword@bookworm>abiword@bookworm-security"), "abiword");
  EXPECT_EQ(application_of("list:geany>list:geany~1"), "list:geany");
  EXPECT_EQ(application_of("gnumeric"), "gnumeric");
  EditProfile own, shared, other;
  own.content = 1, shared.content = 2, other.content = 3;
  RecordedEdits edits;
  edits.add(own, {"a@x>a@y"});
  edits.add(shared, {"a@x>a@y"}), edits.add(shared, {"b@x>b@y"});
  edits.add(other, {"b@x>b@y"});
  const auto contents = [](const std::vector<EditProfile>& profiles) {
    std::vector<std::uint64_t> found;
    for (const EditProfile& p : profiles) found.push_back(p.content);
    return found;
  };
  using ::testing::ElementsAre;
  EXPECT_THAT(contents(edits.all()), ElementsAre(1, 2, 3));
  EXPECT_THAT(contents(edits.elsewhere("a@x>a@z")), ElementsAre(2, 3));
  EXPECT_THAT(contents(edits.elsewhere("b@x>b@y")), ElementsAre(1, 2));
  EXPECT_THAT(contents(edits.elsewhere("c@x>c@y")), ElementsAre(1, 2, 3));
}

TEST(StructureEdits, OtherTextIsRefusedWithItsPlace) {
  const std::string head = RecordedEdits().text();
  EXPECT_TRUE(round_trip(head).empty());
  EXPECT_THAT(error_of("something\n"), HasSubstr("e.gz:1: not a list of edits"));
  for (const char* line : {"",
                           "1",
                           "1\t2",
                           "1\t2\tmoved\t7\t3\t-\t0",
                           "1\t2\tsame\t7\t\t-\t0",
                           "1\t2\tsame\tg\t1\t-\t0",
                           "1\t2\tsame\t7\t0\t-\t0",
                           "1\t2\tsame\t7\t3,x\t-\t0",
                           "1\t2\tsame\t7\t99999999\t-\t0",
                           "x\t2\tsame\t7\t1\t-\t0",
                           "1\t2\tsame\t7\t1\t-",
                           "1\t2\tsame\t7\t1\t-\t1",
                           "1\t2\tsame\t7\t1\t-\t0,x",
                           "1\t2\tsame\t7\t1\t0:2:1\t0",
                           "1\t2\tsame\t7\t1\t0:1:0\t0",
                           "1\t2\tsame\t7\t1\t1:1:1\t0",
                           "1\t2\tsame\t7\t1\t0:1:x\t0",
                           "1\t2\tsame\t7\t1\t0:0:1\t0",
                           "1\t2\tsame\t7\t1\t0:1\t0",
                           "I\tlate"})
    EXPECT_THAT(error_of(head + "I\tx>y\n1\t2\tsame\t7\t1\t-\t0\n" + line + "\n"),
                HasSubstr("e.gz:4: not a line"))
        << line;
}

// What ships: security updates of thirty applications.
TEST(StructureEdits, TheRecordedOnesAreThere) {
  use_source_data();
  const auto edits = read_edits(recorded_edits());
  std::set<std::string> images;
  EXPECT_GT(edits.size(), 300u);
  std::size_t pages = 0, resized = 0, alone = 0, kept = 0;
  for (const auto& [e, of] : edits) {
    images.insert(of.begin(), of.end());
    EXPECT_NE(e.content, e.old_content);
    pages += e.kept.size(), resized += e.kind == EditKind::resized,
        alone += e.kind == EditKind::alone;
    kept += static_cast<std::size_t>(std::count(e.kept.begin(), e.kept.end(), true));
  }
  EXPECT_EQ(images.size(), 30u);
  EXPECT_GT(pages, 25000u);
  EXPECT_GT(resized, 100u);
  EXPECT_GT(alone, 10u);
  EXPECT_GT(kept, pages / 30);
  EXPECT_LT(kept, pages / 10);
}

}  // namespace
}  // namespace missive::harness
