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

std::vector<EditProfile> round_trip(const std::string& text) {
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
  a.content = 0xfedcba9876543210, a.old_content = 1, a.resized = true;
  a.kept = {false, false, true, false, true, true};
  b.content = 2, b.kept = {true};
  const auto read = round_trip(edits_text({a, b}));
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read[0].content, a.content);
  EXPECT_EQ(read[0].old_content, a.old_content);
  EXPECT_TRUE(read[0].resized);
  EXPECT_EQ(read[0].kept, a.kept);
  EXPECT_FALSE(read[1].resized);
  EXPECT_EQ(read[1].kept, b.kept);
}

TEST(StructureEdits, OtherTextIsRefusedWithItsPlace) {
  const std::string head = edits_text({});
  EXPECT_TRUE(round_trip(head).empty());
  EXPECT_THAT(error_of("something\n"), HasSubstr("e.gz:1: not a list of edits"));
  for (const char* line : {"", "1", "1\t2", "1\t2\tmoved\t3", "1\t2\tsame\t", "1\t2\tsame\t0",
                           "1\t2\tsame\t3,x", "1\t2\tsame\t99999999", "x\t2\tsame\t1"})
    EXPECT_THAT(error_of(head + "1\t2\tsame\t1\n" + line + "\n"), HasSubstr("e.gz:3: not a line"))
        << line;
}

// What ships: security updates of ten applications.
TEST(StructureEdits, TheRecordedOnesAreThere) {
  use_source_data();
  const auto edits = read_edits(recorded_edits());
  EXPECT_GT(edits.size(), 300u);
  std::size_t pages = 0, resized = 0, kept = 0;
  for (const EditProfile& e : edits) {
    EXPECT_NE(e.content, e.old_content);
    pages += e.kept.size(), resized += e.resized;
    kept += static_cast<std::size_t>(std::count(e.kept.begin(), e.kept.end(), true));
  }
  EXPECT_GT(pages, 25000u);
  EXPECT_GT(resized, 100u);
  EXPECT_GT(kept, pages / 8);
  EXPECT_LT(kept, pages / 3);
}

}  // namespace
}  // namespace missive::harness
