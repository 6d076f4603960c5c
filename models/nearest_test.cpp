#include "models/nearest.h"

#include <gtest/gtest.h>

namespace missive {
namespace {

TEST(Nearest, CountsInsertDeleteReplaceAndSwap) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("latncy", "latency"), 1u);
  EXPECT_EQ(edit_distance("rnu", "run"), 1u);
  EXPECT_EQ(edit_distance("ca", "abc"), 3u);  // restricted: no edit inside a swapped pair
  EXPECT_EQ(edit_distance("SHA256", "sha256"), 0u);
}

TEST(Nearest, FindsTheTypo) {
  const std::vector<std::string> names{"launch", "latency_s", "bandwidth", "seed"};
  EXPECT_EQ(nearest("latencys", names), "latency_s");
  EXPECT_EQ(nearest("sede", names), "seed");
  EXPECT_EQ(did_you_mean("lanch", names), "; did you mean 'launch'?");
}

TEST(Nearest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(nearest("zzzzzz", {"launch", "seed"}), "");
  EXPECT_EQ(nearest("x", {}), "");
  EXPECT_EQ(did_you_mean("zzzzzz", {"launch"}), "");
}

TEST(Nearest, IsBoundedForHugeWords) {
  EXPECT_EQ(nearest(std::string(1 << 20, 'a'), {"launch"}), "");
}

TEST(Named, FindsAnEntryOrSaysWhichWasMeantAndWhichThereAre) {
  struct Entry {
    std::string name;
  };
  const std::vector<Entry> registry{{"eager"}, {"lazy"}};
  EXPECT_EQ(&named(registry, "lazy", "mode"), &registry[1]);
  try {
    named(registry, "laxy", "mode");
    FAIL() << "there is no such mode";
  } catch (const InputError& e) {
    EXPECT_STREQ(e.what(), "no mode \"laxy\"; did you mean 'lazy'?; there are eager, lazy");
  }
}

}  // namespace
}  // namespace missive
