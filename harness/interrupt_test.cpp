// The program as a user stops it: SIGINT at many moments of a run with real launches, two runs at
// once. It must answer soon, with status 130, keep what it has, and leave no process, mount or
// working directory behind.

#include "harness/interrupt_testing.h"
#include "models/error.h"
#include "real/launch/application.h"
#include "real/launch/picoprocess.h"
#include "real/measure/scratch.h"

namespace missive::harness {
namespace {

const std::vector<std::string> kLaunches{"experiments/launch-quick.json", "--repetitions", "20"};

class StopTest : public StoppedProgram {
 protected:
  void SetUp() override {
    if (const auto why = launch::picoprocess_unavailable(); !why.empty()) GTEST_SKIP() << why;
    try {
      launch::ensure_root(launch::application("python3"));
    } catch (const Error& e) {
      GTEST_SKIP() << e.what();
    }
    StoppedProgram::SetUp();  // with this host's home: the root made above is there
  }
};

TEST_F(StopTest, an_interrupt_at_any_moment_ends_with_130_and_leaves_nothing) {
  // From the first instructions to well into the measured rounds.
  for (const int after : {30, 300, 900, 2000, 3500}) interrupt(kLaunches, milliseconds(after));
}

TEST_F(StopTest, a_killed_run_leaves_no_process_and_the_next_one_clears_its_directory) {
  const auto mounts_before = mounts();
  const pid_t pid = start("result", kLaunches);
  std::this_thread::sleep_for(milliseconds(1500));
  ::kill(pid, SIGKILL);
  wait_for(pid, milliseconds(5000));
  EXPECT_TRUE(orphans_end_within(milliseconds(2'000)));
  EXPECT_EQ(mounts(), mounts_before);
  { const measure::ScratchDirectory next(measure::scratch_parent()); }
  EXPECT_THAT(left_in_scratch(), testing::IsEmpty());
}

TEST_F(StopTest, of_two_runs_at_once_the_second_says_who_measures) {
  second_says_who_measures(kLaunches, launch::home() / "measure.lock");
}

}  // namespace
}  // namespace missive::harness
