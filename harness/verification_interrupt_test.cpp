// An experiment on verification as a user stops it: while memory is filled, and while it is hashed
// by processes with threads.

#include "harness/interrupt_testing.h"

namespace missive::harness {
namespace {

const std::vector<std::string> kVerification{"experiments/verification.json",
                                             "--backend",
                                             "real",
                                             "--repetitions",
                                             "200",
                                             "--set",
                                             "/size=\"64MiB\"",
                                             "--set",
                                             "/processes=2"};

class VerificationStop : public StoppedProgram {
 protected:
  void SetUp() override {
    StoppedProgram::SetUp();
    use_own_home();
  }
};

TEST_F(VerificationStop, AtAnyMomentItEndsWith130AndLeavesNothing) {
  for (const int after : {30, 250, 700, 1500}) interrupt(kVerification, milliseconds(after));
}

TEST_F(VerificationStop, OfTwoRunsTheSecondSaysWhoMeasures) {
  second_says_who_measures(kVerification, root_ / "home/measure.lock");
}

}  // namespace
}  // namespace missive::harness
