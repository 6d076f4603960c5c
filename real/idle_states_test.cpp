#include "real/idle_states.h"

#include <fcntl.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace missive {
namespace {

TEST(IdleStates, either_a_request_is_held_or_the_reason_names_the_device) {
  const AwakeProcessors awake = keep_processors_awake();
  EXPECT_NE(static_cast<bool>(awake.request), !awake.unavailable.empty());
  if (!awake.request) {
    EXPECT_THAT(awake.unavailable, ::testing::HasSubstr("/dev/cpu_dma_latency"));
  }
}

TEST(IdleStates, programs_that_are_started_meanwhile_do_not_inherit_the_request) {
  const AwakeProcessors awake = keep_processors_awake();
  if (!awake.request) GTEST_SKIP() << awake.unavailable;
  EXPECT_TRUE(::fcntl(awake.request.get(), F_GETFD) & FD_CLOEXEC);
}

}  // namespace
}  // namespace missive
