// Reproduction with a made-up program in place of the real one: what is run, kept, judged, and left
// behind. And once with the real one.

#include "harness/reproduce.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/claim_documents.h"
#include "harness/test_support.h"
#include "real/process.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const bool kDataReady = (use_source_data(), true);

// One experiment, a claim on it (total above 1) and a closed form.
ClaimsFile made_up_claims() {
  ClaimExperiment e;
  e.id = "E1";
  e.name = "launch-model";
  e.file = "launch-model.json";
  for (const char* profile : {"kick", "short", "full"}) e.profiles[profile].minutes = 0.1;
  Claim total;
  total.id = "C1";
  total.experiment = e.name;
  total.low = 1;
  ClaimTerm metric;
  metric.metric = "total";
  metric.where["x"] = 1;
  total.values = {{ClaimOp::value, {metric}}};
  Claim closed;
  closed.id = "C2";
  closed.decides = World::simulated;
  closed.low = 0;
  ClaimTerm model;
  model.model = "regained_throughput";
  model.arguments["regained"] = 0.25;
  closed.values = {{ClaimOp::value, {model}}};
  ClaimsFile claims;
  claims.experiments = {e};
  claims.claims = {total, closed};
  return claims;
}

class Reproduce : public ::testing::Test {
 protected:
  // A program that counts its runs, writes a result with this total, and ends with this status.
  fs::path program(double total, int status) {
    const Json result{
        {"schema", "missive-sim/result/1"},
        {"experiment", Json{{"name", "launch-model"}}},
        {"context", Json::object()},
        {"summary", Json::object()},
        {"points",
         Json::array({Json{
             {"parameters", Json{{"x", 1}}},
             {"metrics", Json::array({Json{{"name", "total"},
                                           {"simulated", nullptr},
                                           {"measured", Json{{"median", total},
                                                             {"ci95", Json::array({total, total})},
                                                             {"n", 5}}}}})}}})}};
    folder_.write("canned.json", result.dump());
    return script("echo run >> '" + (folder_.path() / "runs").string() +
                  "'\n"
                  "while [ \"$1\" != --out ]; do shift; done\n"
                  "cp '" +
                  (folder_.path() / "canned.json").string() +
                  "' \"$2/result.json\"\n"
                  "echo the last words\nexit " +
                  std::to_string(status) + "\n");
  }
  fs::path script(const std::string& body) {
    const fs::path file = folder_.write("program", "#!/bin/sh\n" + body);
    fs::permissions(file, fs::perms::owner_all);
    return file;
  }
  std::size_t runs() {
    const std::string text = read_text(folder_.path() / "runs");
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }
  Reproduction run(const fs::path& with, bool resume = false,
                   const std::vector<std::string>& ids = {}) {
    ReproduceOptions options;
    options.profile = "kick";
    options.program = with;
    options.resume = resume;
    options.claims = ids;
    return reproduce(claims_, options, OutputDir(folder_.path() / "out"));
  }

  TemporaryFolder folder_;
  ClaimsFile claims_ = made_up_claims();
};

TEST_F(Reproduce, RunsWhatIsNeededAndJudgesEverything) {
  const Reproduction r = run(program(2, 0));
  ASSERT_EQ(r.verdicts.size(), 2U);
  EXPECT_EQ(r.verdicts[0].verdict, Verdict::reproduced);
  EXPECT_EQ(r.verdicts[1].verdict, Verdict::reproduced);
  EXPECT_EQ(exit_status(claims_, r), ExitStatus::ok);
  for (const char* name : {"reproduce.json", "verdicts.json", "claims.md", "claims.csv",
                           "appendix.md", "launch-model/output.txt"})
    EXPECT_TRUE(fs::exists(folder_.path() / "out" / name)) << name;
  EXPECT_EQ(load_verdicts(claims_, folder_.path() / "out/verdicts.json").size(), 2U);
}

TEST_F(Reproduce, ResultsCanBeJudgedAgainByOtherLimits) {
  run(program(2, 0));
  claims_.claims[0].low = 3;
  Json context;
  const auto verdicts = judge_results(claims_, folder_.path() / "out", context);
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_EQ(verdicts[0].verdict, Verdict::not_reproduced);
  EXPECT_EQ(verdicts[1].verdict, Verdict::reproduced);
  EXPECT_EQ(runs(), 1U);
  EXPECT_THROW(judge_results(claims_, folder_.path() / "nowhere", context), InputError);
}

TEST_F(Reproduce, AClosedFormRunsNothing) {
  const Reproduction r = run(program(2, 0), false, {"C2"});
  EXPECT_TRUE(r.experiments.empty());
  EXPECT_EQ(r.verdicts.size(), 1U);
  EXPECT_EQ(runs(), 0U);
}

TEST_F(Reproduce, ABrokenClaimIsStatus3) {
  const Reproduction r = run(program(0.5, 3));
  EXPECT_EQ(r.verdicts[0].verdict, Verdict::not_reproduced);
  EXPECT_EQ(exit_status(claims_, r), ExitStatus::claim_failed);
}

TEST_F(Reproduce, AFailedExperimentIsStatus1AndQuoted) {
  const Reproduction r = run(script("echo it broke\nexit 1\n"));
  EXPECT_EQ(r.verdicts[0].verdict, Verdict::not_run);
  EXPECT_EQ(r.verdicts[0].why, "experiment 'launch-model' failed: it broke");
  EXPECT_EQ(r.verdicts[1].verdict, Verdict::reproduced);
  EXPECT_EQ(exit_status(claims_, r), ExitStatus::run_failed);
}

TEST_F(Reproduce, WhatCannotBeJudgedHereIsStatus4) {
  const Reproduction r = run(script("exit 4\n"));
  EXPECT_EQ(exit_status(claims_, r), ExitStatus::not_available);
}

TEST_F(Reproduce, AnAbsoluteFigureOfOtherHardwareDoesNotCount) {
  claims_.claims[0].tier = Tier::absolute;
  claims_.claims[0].hardware = "a machine of 2014";
  const Reproduction r = run(program(2, 0));
  EXPECT_EQ(r.verdicts[0].verdict, Verdict::not_run);
  EXPECT_EQ(exit_status(claims_, r), ExitStatus::ok);
}

TEST_F(Reproduce, ResumeKeepsWhatIsFinished) {
  const fs::path with = program(2, 0);
  run(with);
  const Reproduction again = run(with, true);
  EXPECT_EQ(runs(), 1U);
  EXPECT_TRUE(again.experiments.at(0).kept);
  EXPECT_EQ(again.verdicts[0].verdict, Verdict::reproduced);
  run(with);
  EXPECT_EQ(runs(), 2U);
}

TEST_F(Reproduce, ResumeRunsAgainWhatFailedOrIsNotTheSame) {
  run(script("exit 1\n"));
  const fs::path with = program(2, 0);
  run(with, true);
  EXPECT_EQ(runs(), 1U);
  claims_.experiments[0].profiles["kick"].repetitions = 9;
  run(with, true);
  EXPECT_EQ(runs(), 2U);
  folder_.write("out/launch-model/result.json", "{\"schema\": \"missive");  // cut short
  run(with, true);
  EXPECT_EQ(runs(), 3U);
}

TEST_F(Reproduce, AStrangersJournalIsRefused) {
  fs::create_directories(folder_.path() / "out");
  folder_.write("out/reproduce.json", "[]");
  EXPECT_THROW(run(program(2, 0), true), InputError);
}

TEST_F(Reproduce, AnUnknownClaimIsNamed) {
  try {
    run(program(2, 0), false, {"C22"});
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), HasSubstr("C22: no such claim"));
  }
}

TEST_F(Reproduce, AnInterruptIsHandedOnAndKeepsTheVerdicts) {
  const fs::path with = script("trap 'echo gone > \"" + (folder_.path() / "gone").string() +
                               "\"; exit 130' INT\n"
                               "echo up > '" +
                               (folder_.path() / "up").string() +
                               "'\n"
                               "while :; do sleep 0.05; done\n");
  const pid_t pid = ::fork();
  if (pid == 0) {
    install_interrupt_handler();
    const Reproduction r = run(with);
    ::_exit(static_cast<int>(exit_status(claims_, r)));
  }
  for (int i = 0; i < 2000 && !fs::exists(folder_.path() / "up"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  ::kill(pid, SIGINT);
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 130);
  EXPECT_TRUE(fs::exists(folder_.path() / "gone"));
  const auto verdicts = load_verdicts(claims_, folder_.path() / "out/verdicts.json");
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_THAT(verdicts[0].why, HasSubstr("was interrupted"));
  EXPECT_EQ(verdicts[1].verdict, Verdict::reproduced);
}

TEST_F(Reproduce, TheProgramReproducesTheModelsClaims) {
  const fs::path real = fs::read_symlink("/proc/self/exe").parent_path() / "missive-sim";
  if (!fs::exists(real)) GTEST_SKIP() << "missive-sim is not built here";
  claims_ = load_claims();
  std::vector<std::string> ids;
  for (const Claim& c : claims_.claims)
    if (c.experiment == "launch-model") ids.push_back(c.id);
  const Reproduction r = run(real, false, ids);
  for (const ClaimVerdict& v : r.verdicts)
    EXPECT_EQ(v.verdict, Verdict::reproduced) << v.id << ": " << v.why;
  EXPECT_EQ(exit_status(claims_, r), ExitStatus::ok);
}

}  // namespace
}  // namespace missive::harness
