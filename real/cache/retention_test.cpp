#include "real/cache/retention.h"

#include <thread>

#include <unistd.h>

#include <gtest/gtest.h>

#include "real/origin/test_image.h"

namespace missive::cache {
namespace {

using origin::TestImage;
using Needs = Retention::Needs;

// A store that holds one image.
class RetentionTest : public testing::Test {
 protected:
  void SetUp() override {
    store_.put_recipe(image_.name(), image_.recipe().serialize());
    for (std::size_t i = 0; i < image_.recipe().leaves.size(); ++i)
      store_.put(image_.recipe().leaves[i], image_.block(i));
  }
  static constexpr std::uint64_t kBlock = TestImage::kBlock;
  origin::TemporaryDirectory dir_;
  Store store_{dir_.path() / "store", {}};
  TestImage image_{4, 1};
  Counters counters_;
  Retention retention_{store_, eviction_policies().front(), 64 * kBlock, counters_};
};

TEST_F(RetentionTest, what_is_pinned_stays_and_goes_once_it_is_released) {
  {
    const Pinned pinned(retention_, image_.name());
    EXPECT_FALSE(retention_.make_room(kBlock));
  }
  EXPECT_TRUE(retention_.make_room(kBlock));
}

TEST_F(RetentionTest, nobody_waits_for_a_release_when_all_that_is_pinned_needs_room_itself) {
  const Pinned pinned(retention_, image_.name(), Needs::room);
  EXPECT_FALSE(retention_.await_release(retention_.releases()));
}

TEST_F(RetentionTest, who_needs_room_waits_for_the_release_of_who_does_not) {
  const auto before = retention_.releases();
  retention_.pin(image_.name(), Needs::nothing);
  std::thread other([&] {
    ::usleep(20'000);
    retention_.release(image_.name(), Needs::nothing);
  });
  EXPECT_TRUE(retention_.await_release(before));
  EXPECT_TRUE(retention_.make_room(kBlock));
  other.join();
}

TEST_F(RetentionTest, a_release_since_then_is_not_waited_for_again) {
  const auto before = retention_.releases();
  { const Pinned pinned(retention_, image_.name()); }
  EXPECT_TRUE(retention_.await_release(before));
}

}  // namespace
}  // namespace missive::cache
