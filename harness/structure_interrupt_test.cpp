// Experiments that count, as a user stops them: while trees are invented, while images are built,
// and while orders are drawn.

#include "harness/interrupt_testing.h"

namespace missive::harness {
namespace {

class CountingStop : public StoppedProgram {
 protected:
  void SetUp() override {
    StoppedProgram::SetUp();
    use_own_home();
  }
  // Half-built images lie in the output folder while they are counted.
  void expect_no_image_left() const {
    const std::filesystem::path folder = root_ / "out/result";
    if (!std::filesystem::exists(folder)) return;  // stopped before there was anything to keep
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      EXPECT_EQ(entry.path().filename().string().find(".zar"), std::string::npos) << entry.path();
  }
};

TEST_F(CountingStop, OfStructureEndsWith130AndLeavesNothing) {
  for (const int after : {100, 700, 2500}) {
    interrupt({"experiments/zar-placement.json"}, milliseconds(after));
    expect_no_image_left();
  }
}

TEST_F(CountingStop, OfCommonalityEndsWith130AndLeavesNothing) {
  const std::vector<std::string> words{"experiments/commonality.json", "--repetitions", "100000"};
  for (const int after : {100, 1000}) interrupt(words, milliseconds(after));
}

}  // namespace
}  // namespace missive::harness
