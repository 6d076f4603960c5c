#include "harness/launch_facts.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/test_support.h"
#include "models/error.h"

namespace missive::harness {
namespace {

constexpr const char* kShipped = "gnumeric+abiword-65536-128-packed";

class LaunchFactsTest : public testing::Test {
 protected:
  void SetUp() override {
    use_source_data();
    ::setenv("MISSIVE_HOME", home_.path().c_str(), 1);
  }
  void TearDown() override { ::unsetenv("MISSIVE_HOME"); }
  void keep(const std::string& text) const {
    std::filesystem::create_directories(home_.path() / "facts");
    std::ofstream(home_.path() / "facts" / (std::string(kShipped) + ".json")) << text;
  }
  TemporaryFolder home_;
};

TEST_F(LaunchFactsTest, WhatWasKeptComesBackBeforeWhatShips) {
  LaunchFacts facts = load_facts(kShipped).value();
  facts.image.blocks += 1;
  save_facts(kShipped, facts);
  EXPECT_EQ(load_facts(kShipped).value().image.blocks, facts.image.blocks);
  EXPECT_FALSE(load_facts("no-such-image"));
}

TEST_F(LaunchFactsTest, ThoseOfAnotherVersionOfTheProgramArePassedOver) {
  const LaunchFacts shipped = load_facts(kShipped).value();
  keep(R"({"format": "missive-sim/launch-facts/1", "image": {"blocks": 1}})");
  EXPECT_EQ(load_facts(kShipped).value().image.blocks, shipped.image.blocks);
}

TEST_F(LaunchFactsTest, AFileThatIsNoneSaysWhatToDo) {
  keep("{");
  try {
    load_facts(kShipped);
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("remove it, the next real run writes it anew"));
  }
}

}  // namespace
}  // namespace missive::harness
