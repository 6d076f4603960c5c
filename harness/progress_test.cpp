#include "harness/progress.h"

#include <cstdlib>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace missive::harness {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Progress, SaysNothingWhereNobodyWatches) {
  std::ostringstream stream;
  {
    Progress progress(stream, /*enabled=*/false, /*colour=*/true);
    progress.update(1, 24, "cold");
    progress.note("note");
  }
  EXPECT_EQ(stream.str(), "");
}

TEST(Progress, WithoutColourItOnlyErasesItsOwnLine) {
  std::ostringstream stream;
  {
    Progress progress(stream, true, /*colour=*/false);
    progress.update(1, 24, "cold");
    progress.note("a note");
  }
  EXPECT_THAT(stream.str(), HasSubstr("[  1/24] cold"));
  EXPECT_THAT(stream.str(), HasSubstr("a note\n"));
  EXPECT_THAT(stream.str(), Not(HasSubstr("\033[2m")));
}

TEST(Progress, NoColorIsHonouredWhenSetAndNotEmpty) {
  setenv("TERM", "xterm", 1);
  unsetenv("NO_COLOR");
  EXPECT_TRUE(colour_wanted());
  setenv("NO_COLOR", "", 1);
  EXPECT_TRUE(colour_wanted());
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(colour_wanted());
  unsetenv("NO_COLOR");
  setenv("TERM", "dumb", 1);
  EXPECT_FALSE(colour_wanted());
}

}  // namespace
}  // namespace missive::harness
