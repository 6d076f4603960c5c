// Words and a small program of its own: what each type of option and each rule comes to.

#include "harness/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace missive::harness {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Words = std::vector<std::string>;

class CommandLine : public ::testing::Test {
 protected:
  CommandLine() {
    program_.footer = "\nOf the program.\n";
    Verb& send = program_.add("send", "send a message");
    send.option("TO", to_, "who gets it", {.required = true});
    send.option("COPY", copies_, "who else");
    send.option("--loud", loud_, "so that all hear it");
    send.option("--times", times_, "how often", {.between = {{1, 9}}, .default_text = "1"});
    send.option("--port", port_, "where");
    send.option("--offset", offset_, "where from");
    send.option("--seed", seed_, "of chance");
    send.option("--via", via_, "by what", {.one_of = {"air", "sea"}, .excludes = "--port"});
    send.option("--tag", tags_, "a word", {.one_value_each = true});
    send.option("--part", parts_, "which", {.separator = ','});
    send.action = [](Terminal&) { return ExitStatus::ok; };
    Verb& box = program_.add("box", "what lies in the box");
    Verb& list = box.add("list", "all of it");
    list.footer = "\nOf the list.\n";
    list.action = send.action;
    Verb& inside = box.add("inside", "run a program in it");
    inside.option("PROGRAM", to_, "its path", {.required = true});
    inside.rest = &rest_;
    inside.action = send.action;
    Verb& secret = box.add("secret", "for the makers");
    secret.hidden = true;
    secret.action = send.action;
  }

  const Verb* read(const Words& words) { return read_words(program_, words).verb; }

  std::string refused(const Words& words) {
    try {
      read_words(program_, words);
    } catch (const InputError& e) {
      return e.what();
    }
    return "accepted";
  }

  Verb program_{"post", "a post office"};
  std::string to_, via_ = "air";
  Words copies_, tags_, parts_, rest_;
  bool loud_ = false;
  int times_ = 1;
  std::uint32_t port_ = 7;
  std::uint64_t offset_ = 0;
  std::optional<std::int64_t> seed_;
};

TEST_F(CommandLine, EveryTypeOfOptionIsFilledAndTheOthersKeepTheirDefaults) {
  const Verb* verb = read({"send", "ann", "--loud", "--times", "3", "--offset=18446744073709551615",
                           "--seed", "-4", "bob", "cid"});
  EXPECT_EQ(verb, program_.find_verb("send"));
  EXPECT_EQ(to_, "ann");
  EXPECT_THAT(copies_, ElementsAre("bob", "cid"));
  EXPECT_TRUE(loud_);
  EXPECT_EQ(times_, 3);
  EXPECT_EQ(offset_, 18446744073709551615U);
  EXPECT_EQ(seed_, -4);
  EXPECT_EQ(port_, 7U);
  EXPECT_EQ(via_, "air");
}

TEST_F(CommandLine, AListTakesWhatFollowsUnlessItTakesOneValueEach) {
  read({"send", "--tag", "x", "ann", "--tag", "y", "--part", "1,2", "3"});
  EXPECT_THAT(tags_, ElementsAre("x", "y"));
  EXPECT_EQ(to_, "ann");
  EXPECT_THAT(parts_, ElementsAre("1", "2", "3"));
}

TEST_F(CommandLine, WhatBreaksARuleIsToldSoAndPointedToTheHelpOfItsVerb) {
  const char* const help = "; see 'post send --help'";
  EXPECT_THAT(refused({"send"}), AllOf(HasSubstr("TO is required"), HasSubstr(help)));
  EXPECT_THAT(refused({"send", "ann", "--times", "10"}),
              AllOf(HasSubstr("--times"), HasSubstr("1 to 9"), HasSubstr(help)));
  EXPECT_THAT(refused({"send", "ann", "--times", "often"}), HasSubstr("--times"));
  EXPECT_THAT(refused({"send", "ann", "--port", "-1"}), HasSubstr("--port"));
  EXPECT_THAT(refused({"send", "ann", "--via", "land"}), HasSubstr("{air,sea}"));
  EXPECT_THAT(refused({"send", "ann", "--via", "sea", "--port", "1"}), HasSubstr("excludes"));
  EXPECT_THAT(refused({"send", "ann", "--tag"}), HasSubstr("--tag"));
  EXPECT_EQ(refused({"send", "ann", "--via", "sea"}), "accepted");
}

TEST_F(CommandLine, AMisspeltOptionGetsASuggestionAndAnUnknownWordTheHelp) {
  EXPECT_EQ(refused({"send", "ann", "--tmies", "3"}),
            "--tmies: unknown option; did you mean '--times'?");
  EXPECT_EQ(refused({"send", "ann", "--colour=red"}),
            "--colour: unknown option; see 'post send --help'");
  EXPECT_EQ(refused({"box", "list", "it"}), "it: unknown argument; see 'post box list --help'");
}

TEST_F(CommandLine, AVerbWithoutAnActionNeedsOneOfItsOwnTheProgramIsLeftToTheCaller) {
  EXPECT_THAT(refused({"box"}), HasSubstr("; see 'post box --help'"));
  EXPECT_EQ(read({"box", "list"}), program_.find_verb("box")->find_verb("list"));
  EXPECT_EQ(read({"box", "secret"}), program_.find_verb("box")->find_verb("secret"));
  EXPECT_EQ(read({}), &program_);
  EXPECT_EQ(read({})->action, nullptr);
}

TEST_F(CommandLine, TheRestBelongsToTheProgramThatIsRun) {
  read({"box", "inside", "/bin/ls", "-l", "x", "--help"});
  EXPECT_EQ(to_, "/bin/ls");
  EXPECT_THAT(rest_, ElementsAre("-l", "x", "--help"));
}

TEST_F(CommandLine, HelpIsTheSameAskedForEitherWay) {
  for (const Words& path : {Words{}, {"send"}, {"box"}, {"box", "list"}}) {
    Words words = path;
    words.emplace_back("--help");
    const Reading reading = read_words(program_, words);
    EXPECT_EQ(reading.verb, nullptr);
    EXPECT_EQ(reading.text, help_text(program_, path));
  }
}

TEST_F(CommandLine, HelpShowsDefaultsAndChoicesAndTheNearestFooterAndHidesWhatIsHidden) {
  EXPECT_THAT(help_text(program_, {"send"}),
              AllOf(HasSubstr("Usage: post send [OPTIONS] TO [COPY...]"), HasSubstr("=1"),
                    HasSubstr("{air,sea}"), HasSubstr("how often"), HasSubstr("Of the program.")));
  EXPECT_THAT(help_text(program_, {"box"}), AllOf(HasSubstr("list"), Not(HasSubstr("secret"))));
  EXPECT_THAT(help_text(program_, {"box", "list"}),
              AllOf(HasSubstr("Usage: post box list"), HasSubstr("Of the list."),
                    Not(HasSubstr("Of the program."))));
}

TEST_F(CommandLine, TheVersionIsOneLineOfTheProgramAlone) {
  const Reading reading = read_words(program_, {"--version"});
  EXPECT_THAT(reading.text, ::testing::MatchesRegex("post [^\n]+\n"));
  EXPECT_THAT(help_text(program_, {"send"}), Not(HasSubstr("--version")));
}

TEST_F(CommandLine, WhatIsNotThereIsNull) {
  EXPECT_EQ(program_.find_verb("sned"), nullptr);
  EXPECT_EQ(program_.find_verb("send")->find_option("--tmies"), nullptr);
  EXPECT_TRUE(program_.find_verb("send")->find_option("TO")->by_place());
  EXPECT_FALSE(program_.find_verb("send")->find_option("--loud")->takes_value());
  EXPECT_THAT(tags_, IsEmpty());
}

}  // namespace
}  // namespace missive::harness
