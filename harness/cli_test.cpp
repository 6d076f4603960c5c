// The command line from outside: what is printed where, and with which exit status.

#include "harness/cli.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>
#include <unistd.h>

#include "harness/json_source.h"
#include "harness/test_support.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

struct Outcome {
  int status = 0;
  std::string out, err;
};

Outcome cli(const std::vector<std::string>& words) {
  std::vector<const char*> argv{"missive-sim"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out, err;
  const int status = cli_main(static_cast<int>(argv.size()), argv.data(), out, err);
  return {status, out.str(), err.str()};
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

class Cli : public ::testing::Test {
 protected:
  void SetUp() override { use_source_data(); }
  const std::string launch_ = (source_dir() / "experiments/launch.json").string();
  const TemporaryFolder folder_;
  std::string file(const std::string& text) { return folder_.write("e.json", text).string(); }
};

TEST_F(Cli, WithoutWordsSaysWhatToGiveAndIsBadUsage) {
  const Outcome o = cli({});
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.out, IsEmpty());
  EXPECT_THAT(o.err, HasSubstr("missive-sim: name an experiment file"));
}

TEST_F(Cli, HelpNamesExamplesAndEveryExitStatus) {
  const Outcome o = cli({"--help"});
  EXPECT_EQ(o.status, 0);
  EXPECT_THAT(o.err, IsEmpty());
  for (const char* text :
       {"Examples:", "Exit status:", "130", "doctor", "calibrate", "Usage: missive-sim ["})
    EXPECT_THAT(o.out, HasSubstr(text));
  EXPECT_THAT(cli({"run", "--help"}).out, HasSubstr("real launches never overlap"));
}

TEST_F(Cli, VersionIsOneLineOnStdout) {
  const Outcome o = cli({"--version"});
  EXPECT_EQ(o.status, 0);
  EXPECT_THAT(o.out, StartsWith("missive-sim 0."));
  EXPECT_EQ(lines(o.out), 1U);
}

TEST_F(Cli, AFirstWordThatIsNeitherVerbNorFileGetsASuggestion) {
  const Outcome o = cli({"rnu"});
  EXPECT_EQ(o.status, 2);
  EXPECT_EQ(o.err, "missive-sim: rnu: no such file and no such command; did you mean 'run'?\n");
}

TEST_F(Cli, AnUnknownOptionIsNamedWithASuggestion) {
  const Outcome o = cli({"run", "--fromat", "json", launch_});
  EXPECT_EQ(o.status, 2);
  EXPECT_EQ(o.err, "missive-sim: --fromat: unknown option; did you mean '--format'?\n");
}

TEST_F(Cli, BadOptionValuesAreBadUsage) {
  EXPECT_EQ(cli({launch_, "--profile", "huge", "--dry-run"}).status, 2);
  EXPECT_EQ(cli({launch_, "--backend", "quantum", "--dry-run"}).status, 2);
  EXPECT_EQ(cli({launch_, "--jobs", "0", "--dry-run"}).status, 2);
  EXPECT_EQ(cli({launch_, "--seed", "x", "--dry-run"}).status, 2);
  const Outcome o = cli({launch_, "--repetitions", "-3", "--dry-run"});
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.err, HasSubstr("--repetitions: /repetitions: -3 is too small; at least 1"));
  EXPECT_EQ(cli({"run"}).status, 2);
  EXPECT_EQ(cli({"zar"}).status, 2);
}

TEST_F(Cli, RunIsTheDefaultWhereverTheOptionsStand) {
  const Outcome plain = cli({"run", launch_, "--dry-run"});
  EXPECT_EQ(plain.status, 0);
  EXPECT_EQ(cli({launch_, "--dry-run"}).out, plain.out);
  EXPECT_EQ(cli({"--dry-run", "--out", "nowhere", launch_}).out, plain.out);
}

TEST_F(Cli, DryRunListsThePointsAndLeavesNothing) {
  const auto out = folder_.path() / "out";
  const Outcome o = cli({launch_, "--dry-run", "--out", out.string()});
  EXPECT_EQ(o.status, 0);
  EXPECT_THAT(o.out, HasSubstr("24 points"));
  EXPECT_EQ(lines(o.out), 26U);
  EXPECT_FALSE(std::filesystem::exists(out));
  const Json points = Json::parse(cli({launch_, "--dry-run", "--format", "json"}).out);
  EXPECT_EQ(points.size(), 24U);
  EXPECT_EQ(points[0]["parameters"]["image.block_size"], 65536);
}

// Two simulations of the same file and seed: equal to the byte but for the context, which says
// where and when; the context has what the contract promises and what the simulator was told.
TEST_F(Cli, ASimulationIsRepeatableAndSaysWhereItRan) {
  const std::string quick = (source_dir() / "experiments/launch-quick.json").string();
  Json results[2];
  std::string observations[2];
  for (int i = 0; i < 2; ++i) {
    const auto out = folder_.path() / std::to_string(i);
    const Outcome o = cli({quick, "--backend", "sim", "--quiet", "--out", out.string()});
    ASSERT_EQ(o.status, 0) << o.err;
    results[i] = Json::parse(read_text(out / "result.json"));
    observations[i] = read_text(out / "observations.csv");
  }
  EXPECT_EQ(observations[0], observations[1]);
  for (const char* key : {"cpu", "cores", "kernel", "mitigations", "compiler", "build_type",
                          "commit", "date", "load", "mechanisms", "simulator"})
    EXPECT_TRUE(results[0]["context"].contains(key)) << key;
  EXPECT_FALSE(results[0]["context"]["mechanisms"].empty());
  for (Json& result : results) result.erase("context");
  EXPECT_EQ(results[0].dump(), results[1].dump());
  EXPECT_FALSE(results[0]["points"][0]["metrics"].empty());
}

TEST_F(Cli, SetOverridesAndIsRepeatable) {
  const Outcome o = cli({launch_, "--set", "/temperature=hot", "--set", "/verifier=mac",
                         "--dry-run", "--format", "csv"});
  EXPECT_EQ(o.status, 0);
  EXPECT_EQ(lines(o.out), 5U);
  const Outcome bad = cli({launch_, "--set", "/temprature=hot", "--dry-run"});
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.err, HasSubstr("did you mean '/temperature'?"));
}

TEST_F(Cli, ShowPrintsAValidFileWithEveryDefaultResolved) {
  const std::string minimal =
      file(R"({"format": "missive-sim/experiment/1", "name": "m", "kind": "launch"})");
  const Outcome o = cli({"show", minimal, "--seed", "7"});
  EXPECT_EQ(o.status, 0);
  const Json shown = Json::parse(o.out);
  EXPECT_EQ(shown["seed"], 7);
  EXPECT_EQ(shown["image"]["block_size"], "64KiB");
  EXPECT_EQ(shown["tolerance"]["shortest_phase"], "1ms");
  EXPECT_EQ(cli({"validate", file(o.out)}).status, 0);
}

TEST_F(Cli, EveryProblemOfAFileIsOneLineAndStatusTwo) {
  const Outcome o = cli({file("{\n\"format\": \"missive-sim/experiment/1\",\n\"name\": \"m\",\n"
                              "\"kind\": \"lunch\",\n\"sede\": 1\n}"),
                         "--dry-run"});
  EXPECT_EQ(o.status, 2);
  EXPECT_EQ(lines(o.err), 2U);
  EXPECT_THAT(o.err, HasSubstr("e.json:4:9: /kind: \"lunch\" is not one of \"launch\""));
  EXPECT_THAT(o.err, HasSubstr("e.json:5:1: /sede: unknown key; did you mean 'seed'?"));
  EXPECT_THAT(o.out, IsEmpty());
}

TEST_F(Cli, BrokenFilesAreStatusTwoEachInOneLine) {
  for (const char* text : {"", "{\"name\":", "{\"name\": NaN}", "[]", "nonsense"}) {
    const Outcome o = cli({file(text), "--dry-run"});
    EXPECT_EQ(o.status, 2) << text;
    EXPECT_THAT(o.err, StartsWith("missive-sim: ")) << text;
  }
}

TEST_F(Cli, TextOfAFileCannotSendControlCharactersToTheTerminal) {
  const Outcome o = cli({file("{\"na\\u001b[31mme\": 1}"), "--dry-run"});
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.err, Not(HasSubstr("\x1b")));
}

TEST_F(Cli, ValidateReportsAllFilesAtOnce) {
  const std::string bad = folder_.write("bad.json", "{").string();
  const std::string worse = folder_.write("worse.json", "").string();
  const Outcome o = cli({"validate", launch_, bad, worse});
  EXPECT_EQ(o.status, 2);
  EXPECT_THAT(o.out, HasSubstr("24 points"));
  EXPECT_THAT(o.err, HasSubstr("bad.json:1"));
  EXPECT_THAT(o.err, HasSubstr("worse.json:1:1: the file is empty"));
}

TEST_F(Cli, AnOutputFolderThatCannotBeWrittenIsOneLineBeforeAnythingRuns) {
  const auto blocker = folder_.write("file", "x");
  const Outcome o = cli({launch_, "--out", (blocker / "out").string()});
  EXPECT_EQ(o.status, 2);
  EXPECT_EQ(lines(o.err), 1U);
  EXPECT_THAT(o.err, HasSubstr("results cannot be written there"));
  EXPECT_EQ(cli({launch_, "--out", "/proc/out"}).status, 2);
}

TEST_F(Cli, NamedParametersAreUsedAndNothingIsCalibrated) {
  const auto home = folder_.path() / "home";
  setenv("MISSIVE_HOME", home.c_str(), 1);
  const auto run = [&](const std::string& parameters) {
    return cli({launch_, "--backend", "sim", "--set", "/sweep={}", "--parameters", parameters,
                "--format", "json", "--out", (folder_.path() / "out").string()});
  };
  const Outcome reference = run("reference");
  EXPECT_EQ(reference.status, 0) << reference.err;
  EXPECT_FALSE(std::filesystem::exists(home / "parameters"));
  const Json document = Json::parse(reference.out);
  for (const char* key : {"cpu", "kernel", "mechanisms", "simulator"})
    EXPECT_TRUE(document["context"].contains(key)) << key;
  const Json used = document["parameters_used"]["gmac.byte_s"];
  EXPECT_EQ(used["provenance"], "assumed");

  // A file's values win over the reference machine's, with their provenance.
  const auto file = folder_.write("p.json", R"({"format": "missive-sim/parameters/1", "parameters":
      {"gmac.byte_s": {"value": 1e-9, "unit": "s/byte", "provenance": "published",
                       "source": "a test"}}})");
  const Outcome named = run(file.string());
  EXPECT_EQ(named.status, 0) << named.err;
  const Json gmac = Json::parse(named.out)["parameters_used"]["gmac.byte_s"];
  EXPECT_EQ(gmac["value"], 1e-9);
  EXPECT_EQ(gmac["provenance"], "published");
  unsetenv("MISSIVE_HOME");
}

TEST_F(Cli, AParameterFileThatIsNoneIsSaidBeforeAnythingRuns) {
  const auto file = folder_.write("p.json", R"({"format": "missive-sim/parameters/1"})");
  for (const std::string& name : {file.string(), std::string("/nowhere/p.json")}) {
    const Outcome o = cli({launch_, "--parameters", name, "--dry-run"});
    EXPECT_EQ(o.status, 2);
    EXPECT_EQ(lines(o.err), 1U) << o.err;
    EXPECT_THAT(o.err, HasSubstr(name));
  }
}

TEST_F(Cli, SchemaPrintsTheSchema) {
  const Json schema = Json::parse(cli({"schema"}).out);
  EXPECT_EQ(schema["$schema"], "http://json-schema.org/draft-07/schema#");
}

TEST_F(Cli, ZarBuildsListsAndVerifiesAnImage) {
  std::filesystem::create_directories(folder_.path() / "tree/usr");
  folder_.write("tree/usr/hello", "hello world");
  const std::string tree = (folder_.path() / "tree").string();
  const std::string image = (folder_.path() / "hello.zar").string();
  const Outcome built = cli({"zar", "build", tree, image, "--block-size", "4KiB"});
  ASSERT_EQ(built.status, 0) << built.err;
  EXPECT_THAT(built.out, HasSubstr("files 1\n"));
  EXPECT_THAT(cli({"zar", "ls", image}).out, HasSubstr("/usr/hello"));
  const Outcome named = cli({"zar", "verify", image});
  EXPECT_THAT(built.out, HasSubstr("name " + named.out));
  EXPECT_EQ(cli({"zar", "verify", image, named.out.substr(0, 64)}).status, 0);
  EXPECT_EQ(cli({"zar", "verify", image, std::string(64, '0')}).status, 1);
  EXPECT_EQ(cli({"zar", "ls", launch_}).status, 2);
  EXPECT_EQ(cli({"zar", "build", tree, image, "--block-size", "5KiB"}).status, 2);
  EXPECT_EQ(cli({"zar", "build", tree, image, "--touched"}).status, 2);
  const Outcome misspelt = cli({"zar", "build", tree, image, "--packing", "greedi"});
  EXPECT_EQ(misspelt.status, 2);
  EXPECT_THAT(misspelt.err, HasSubstr("did you mean 'greedy'?"));
}

TEST_F(Cli, ZarReadsWhatItBuilt) {
  const std::string tree = (folder_.path() / "tree").string();
  std::filesystem::create_directories(tree + "/usr");
  std::ofstream(tree + "/usr/hello") << "hello, world\n";
  std::filesystem::create_symlink("usr/hello", tree + "/hi");
  const std::string image = (folder_.path() / "a.zar").string(), other = image + "2",
                    recipe = image + ".recipe", copy = tree + ".copy";
  ASSERT_EQ(cli({"zar", "build", tree, image, "--block-size", "4KiB", "--recipe", recipe}).status,
            0);
  EXPECT_EQ(cli({"zar", "cat", image, "/hi"}).out, "hello, world\n");
  EXPECT_EQ(cli({"zar", "cat", image, "/hi", "--offset", "7", "--length", "5"}).out, "world");
  EXPECT_EQ(cli({"zar", "cat", image, "/none"}).status, 2);
  EXPECT_EQ(cli({"zar", "cat", image, "/usr"}).status, 2);

  const Json stat = Json::parse(cli({"zar", "stat", image, "--json"}).out);
  EXPECT_EQ(stat["bytes"]["content"], 13);
  EXPECT_EQ(stat["bytes"]["content"].get<int>() + stat["bytes"]["padding"].get<int>() +
                stat["bytes"]["metadata"].get<int>(),
            stat["length"].get<int>());
  EXPECT_EQ(stat["tree"]["recipe"], std::filesystem::file_size(recipe));
  EXPECT_THAT(cli({"zar", "stat", image}).out, HasSubstr("packing path, placement in-order"));

  EXPECT_EQ(cli({"zar", "extract", image, copy}).status, 0);
  EXPECT_EQ(cli({"zar", "extract", image, copy}).status, 1);
  EXPECT_EQ(cli({"zar", "extract", image, copy, "--resume"}).status, 0);
  EXPECT_EQ(cli({"zar", "build", copy, other, "--block-size", "4KiB"}).status, 0);
  const Json diff = Json::parse(cli({"zar", "diff", recipe, other, "--json"}).out);
  EXPECT_EQ(diff["network"]["bytes"], 0);
  EXPECT_EQ(diff["copies"]["bytes"], 0);
  std::ofstream(copy + "/usr/hello") << "goodbye\n";
  EXPECT_EQ(cli({"zar", "build", copy, other, "--block-size", "4KiB"}).status, 0);
  EXPECT_GT(Json::parse(cli({"zar", "diff", image, other, "--json"}).out)["network"]["bytes"], 0);
  EXPECT_EQ(cli({"zar", "build", copy, other, "--block-size", "8KiB"}).status, 0);
  EXPECT_EQ(cli({"zar", "diff", image, other}).status, 2);

  const std::string packed = image + ".packed", back = image + ".back";
  EXPECT_EQ(cli({"zar", "pack", image, packed, "--codec", "lz4"}).status, 0);
  EXPECT_LT(std::filesystem::file_size(packed), std::filesystem::file_size(image));
  EXPECT_EQ(cli({"zar", "unpack", packed, back}).status, 0);
  EXPECT_EQ(cli({"zar", "verify", back}).out, cli({"zar", "verify", image}).out);
  EXPECT_EQ(cli({"zar", "unpack", image, back}).status, 2);
  const Outcome no_start = cli({"zar", "trace", image});
  EXPECT_EQ(no_start.status, 2);
  EXPECT_THAT(no_start.err, HasSubstr("it knows no start"));
  EXPECT_EQ(cli({"zar", "mount", image, tree + "/none"}).status, 2);
  EXPECT_EQ(cli({"zar", "import", other}).status, 2);
  EXPECT_EQ(cli({"zar", "import", other, tree}).status, 2);
}

// The built program, when the test stands beside it: streams, exit status and NO_COLOR for real.
class Program : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    program_ = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "missive-sim";
    if (!std::filesystem::exists(program_)) GTEST_SKIP() << "missive-sim is not built here";
  }
  Outcome spawn(const std::string& words) {
    const auto out = folder_.path() / "stdout", err = folder_.path() / "stderr";
    const std::string command = "'" + program_.string() + "' " + words + " >'" + out.string() +
                                "' 2>'" + err.string() + "' </dev/null";
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), read_text(out), read_text(err)};
  }
  std::filesystem::path program_;
};

TEST_F(Program, ReturnsTheSameStatusAndKeepsStreamsApart) {
  const Outcome good = spawn("'" + launch_ + "' --dry-run");
  EXPECT_EQ(good.status, 0);
  EXPECT_THAT(good.err, IsEmpty());
  const Outcome bad = spawn("nonsense.json");
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.out, IsEmpty());
  EXPECT_EQ(lines(bad.err), 1U);
}

TEST_F(Program, AFullStandardOutputIsAnErrorNotSilence) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full";
  const std::string command =
      "'" + program_.string() + "' schema >/dev/full 2>'" + (folder_.path() / "e").string() + "'";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  EXPECT_THAT(read_text(folder_.path() / "e"), HasSubstr("standard output"));
}

// For a terminal that knows neither Unicode nor colour. What a file of the user's says is printed
// as it stands; what the program says itself is ASCII, without escapes, whatever the environment.
TEST_F(Cli, WhatItSaysIsAsciiWithoutEscapes) {
  const std::string out = (folder_.path() / "out").string();
  const std::string model = (source_dir() / "experiments/launch-model.json").string();
  const std::vector<std::vector<std::string>> commands{{model, "--out", out},
                                                       {launch_, "--dry-run"},
                                                       {"show", launch_},
                                                       {"claims"},
                                                       {"claims", "--format", "csv"},
                                                       {"claims", "--format", "markdown"},
                                                       {"compare", out, out, "--all"},
                                                       {"reproduce", "--list"},
                                                       {"help", "block_size"},
                                                       {"parameters", "--published"},
                                                       {"domains", "list"},
                                                       {"report", out},
                                                       {"man"},
                                                       {"completion"},
                                                       {"--help"},
                                                       {"nonsense"}};
  for (const auto& words : commands) {
    const Outcome o = cli(words);
    EXPECT_FALSE((o.out + o.err).empty()) << words[0];
    for (const std::string& text : {o.out, o.err})
      EXPECT_TRUE(std::all_of(text.begin(), text.end(),
                              [](char c) { return c == '\n' || (c >= ' ' && c <= '~'); }))
          << words[0] << ": " << text;
  }
}

// A result that was handed on alone, as those that ship with the project are.
TEST_F(Cli, AReportNeedsNoObservations) {
  const auto page = folder_.path() / "page.html";
  const std::string recorded = (source_dir() / "experiments/recorded/launch").string();
  const Outcome o = cli({"report", recorded, "--out", page.string()});
  EXPECT_EQ(o.status, 0) << o.err;
  EXPECT_THAT(o.err, HasSubstr("observations.csv is not there"));
  EXPECT_THAT(read_text(page), HasSubstr("What dominates a cold launch of gnumeric?"));
}

TEST_F(Program, ATerminalWithoutUnicodeOrColourSeesTheSame) {
  const std::string words = "'" + launch_ + "' --backend sim --parameters reference --out '" +
                            (folder_.path() / "out").string() + "'";
  const Outcome rich = spawn(words);
  const auto plain_program = program_;
  program_ = folder_.write("plain", "#!/bin/sh\nLC_ALL=C TERM=dumb NO_COLOR=1 exec '" +
                                        plain_program.string() + "' \"$@\"\n");
  std::filesystem::permissions(program_, std::filesystem::perms::owner_all);
  const Outcome plain = spawn(words);
  EXPECT_EQ(rich.status, 0) << rich.err;
  EXPECT_EQ(plain.status, 0) << plain.err;
  EXPECT_EQ(plain.out, rich.out);
  EXPECT_EQ(plain.err, rich.err);
}

TEST_F(Cli, PublishedValuesComeWithTheirSources) {
  const Outcome all = cli({"parameters", "--published"});
  EXPECT_EQ(all.status, 0);
  EXPECT_GT(lines(all.out), 400U);
  const Outcome some = cli({"parameters", "--published", "uswitch", "--format", "json"});
  for (const Json& value : Json::parse(some.out)) EXPECT_FALSE(value["source"].empty());
  EXPECT_THAT(cli({"parameters", "--published", "uswitch"}).out, HasSubstr("129 ns"));
  const Outcome none = cli({"parameters", "--published", "zzzz"});
  EXPECT_EQ(none.status, 2);
  EXPECT_THAT(none.err, HasSubstr("nothing of that name"));
}

TEST_F(Cli, ParametersOfIsolatedDomainsAreCalibratedAndShownOnTheirOwn) {
  setenv("MISSIVE_HOME", folder_.path().c_str(), 1);
  const Outcome none = cli({"parameters", "--isolation"});
  EXPECT_EQ(none.status, 4);
  EXPECT_THAT(none.err, HasSubstr("run 'missive-sim calibrate --isolation'"));
  const Outcome made = cli({"calibrate", "--isolation", "--processes", "1", "--repetitions", "1"});
  EXPECT_EQ(made.status, 0) << made.err;
  const Outcome shown = cli({"parameters", "--isolation"});
  EXPECT_EQ(shown.out, made.out);
  EXPECT_THAT(shown.out, HasSubstr("indirect_call.call_s"));
  EXPECT_EQ(cli({"parameters"}).status, 4) << "launches have parameters of their own";
  EXPECT_EQ(cli({"parameters", "--isolation", "--published"}).status, 2);
  unsetenv("MISSIVE_HOME");
}

}  // namespace
}  // namespace missive::harness
