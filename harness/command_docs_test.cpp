#include "harness/command_docs.h"

#include <array>
#include <cstdio>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/cli.h"
#include "harness/key_help.h"
#include "harness/test_support.h"
#include "models/error.h"

namespace missive::harness {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string output_of(const std::vector<const char*>& words, int status = 0) {
  use_source_data();
  std::vector<const char*> argv{"missive-sim"};
  argv.insert(argv.end(), words.begin(), words.end());
  std::ostringstream out, err;
  EXPECT_EQ(cli_main(static_cast<int>(argv.size()), argv.data(), out, err), status) << err.str();
  return status == 0 ? out.str() : err.str();
}

std::string shell(const std::string& command, int& status) {
  std::FILE* pipe = ::popen(command.c_str(), "r");
  std::string text;
  std::array<char, 4096> buffer{};
  while (pipe != nullptr && std::fgets(buffer.data(), buffer.size(), pipe) != nullptr)
    text += buffer.data();
  status = pipe == nullptr ? -1 : ::pclose(pipe);
  return text;
}

TEST(Help, SaysTypeDefaultAndRangeOfAKey) {
  const std::string text = output_of({"help", "image.block_size"});
  EXPECT_THAT(text, AllOf(HasSubstr("Bytes of a block, a power of two."), HasSubstr("\"64KiB\""),
                          HasSubstr("4KiB to 1MiB, a power of two"), HasSubstr("launch"),
                          HasSubstr("\"/image/block_size\": [...]")));
  EXPECT_EQ(output_of({"help", "/image/block_size"}), text);
  EXPECT_EQ(output_of({"help", "block_size"}), text);
}

TEST(Help, EveryKeyOfTheSchemaHasOne) {
  use_source_data();
  const std::vector<KeyHelp> all = all_keys();
  EXPECT_GT(all.size(), 40U);
  for (const KeyHelp& key : all) {
    EXPECT_FALSE(key.kinds.empty()) << key.key;
    std::istringstream lines(text_of(key));
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("  type") || line.starts_with("  default")) continue;
      EXPECT_LE(line.size(), 110U) << line;
    }
  }
}

TEST(Help, KeysAlikeInTwoKindsAreSaidOnceAndOthersTwice) {
  EXPECT_THAT(output_of({"help", "backend"}), HasSubstr("launch, isolation"));
  const std::string repetitions = output_of({"help", "repetitions"});
  EXPECT_THAT(repetitions, AllOf(HasSubstr("Real launches per point"), HasSubstr("each metric")));
}

TEST(Help, AnUnknownWordGetsASuggestion) {
  EXPECT_THAT(output_of({"help", "blok_size"}, 2), HasSubstr("did you mean 'block_size'"));
  EXPECT_THAT(output_of({"help", "run"}), HasSubstr("--shard"));
  EXPECT_THAT(output_of({"help"}), AllOf(HasSubstr("Commands"), HasSubstr("image.block_size")));
}

TEST(ManPage, NamesEveryCommandAndOption) {
  const std::string page = output_of({"man"});
  EXPECT_THAT(page, AllOf(HasSubstr(".SS missive\\-sim run"), HasSubstr("\\-\\-shard"),
                          HasSubstr(".SS missive\\-sim zar ls"), HasSubstr("image.block_size"),
                          HasSubstr("EXIT STATUS"), Not(HasSubstr("\n.\n"))));
  std::istringstream lines(page);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with('.')) continue;
    EXPECT_THAT(line.substr(0, 3),
                ::testing::MatchesRegex("\\.(TH|SH|SS|TP|B |BR|I |PP|nf|fi|br).*"))
        << line;
  }
}

TEST(ManPage, IsCleanInTheEyesOfMandoc) {
  int status = 0;
  shell("command -v mandoc", status);
  if (status != 0) GTEST_SKIP() << "no mandoc here";
  const TemporaryFolder folder;
  const auto file = folder.write("missive-sim.1", output_of({"man"}));
  const std::string said = shell(
      "mandoc -T lint -W warning " + file.string() + " 2>&1 | grep -v 'missing date'", status);
  EXPECT_EQ(said, "");
}

TEST(Completion, CompletesCommandsOptionsAndValues) {
  const TemporaryFolder folder;
  const auto file = folder.write("completion", output_of({"completion"}));
  const auto completed = [&](const std::string& words, int at) {
    int status = 0;
    const std::string text = shell("bash -c 'source " + file.string() + "; COMP_WORDS=(" + words +
                                       "); COMP_CWORD=" + std::to_string(at) +
                                       "; _missive_sim; echo \"${COMPREPLY[@]}\"' 2>&1",
                                   status);
    EXPECT_EQ(status, 0);
    return text;
  };
  EXPECT_EQ(completed("missive-sim mer", 1), "merge\n");
  EXPECT_EQ(completed("missive-sim run --sha", 2), "--shard\n");
  EXPECT_EQ(completed("missive-sim run --format \"\"", 3), "table json csv\n");
  EXPECT_EQ(completed("missive-sim run --format j", 3), "json\n");
  EXPECT_THAT(completed("missive-sim zar \"\"", 2), HasSubstr("ls"));
  EXPECT_EQ(completed("missive-sim run x", 2), "\n");  // files, by bash itself
}

}  // namespace
}  // namespace missive::harness
