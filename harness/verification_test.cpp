// The kind "verification": what it asks for, what it makes of the answers.

#include <cstdlib>
#include <filesystem>

#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/experiment_kind.h"
#include "harness/test_support.h"
#include "harness/verification_run.h"
#include "harness/verification_table.h"
#include "models/error.h"
#include "real/verify/algorithm.h"

namespace missive::harness {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Experiment experiment(const std::string& body = "") {
  use_source_data();
  const std::string text =
      R"({"format": "missive-sim/experiment/1", "name": "t", "kind": "verification")" +
      (body.empty() ? "" : ", " + body) + "}";
  return make_experiment(JsonSource::parse(text, "t.json"));
}

// Every parameter there is, a byte costing `byte` seconds whatever the algorithm.
ParameterSet parameters(double byte) {
  ParameterSet set;
  Parameter p;
  p.value = p.low = p.high = byte;
  p.unit = "s/byte";
  p.provenance = Provenance::measured;
  p.source = "test";
  p.date = "2026-01-01";
  for (const auto& a : verify::algorithms())
    for (const Residency r : {Residency::memory, Residency::cache}) {
      for (const std::uint64_t size : kMessageSizes) set.set(verify_parameter(a.name, size, r), p);
      for (const std::uint64_t size : kShortSizes) set.set(verify_parameter(a.name, size, r), p);
    }
  for (const char* bound : {"read", "copy"})
    for (const char* cores : {"memory", "all"})
      set.set(std::string("verify.") + bound + '.' + cores + ".byte_s", p);
  set.set("verify.team.call_s", p);
  return set;
}

std::size_t point_of(const Experiment& e, const std::string& algorithm) {
  const auto& points = verification_settings(e).points;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (points[i].algorithm == algorithm) return i;
  throw std::runtime_error("no point " + algorithm);
}

const Metric* metric(const Result& r, std::size_t point, const std::string& name) {
  for (const Metric& m : r.points.at(point).metrics)
    if (m.name == name) return &m;
  return nullptr;
}

Result compared(const Experiment& e, const std::vector<VerificationData>& data) {
  Result r = empty_result(e);
  compare_verification(e, data, parameters(1e-10), r);
  return r;
}

TEST(Verification, AsksEveryAlgorithmAndTwoBoundsByDefault) {
  const Experiment e = experiment();
  EXPECT_EQ(verification_settings(e).points.size(), verify::algorithms().size() + 2);
  EXPECT_EQ(e.grid.size(), verification_settings(e).points.size());
}

TEST(Verification, OneCoreIsMeasuredInAnyCase) {
  const Experiment e = experiment(R"("threads": [2])");
  EXPECT_EQ(verification_settings(e).threads, (std::vector<std::uint64_t>{1, 2}));
}

TEST(Verification, HashesBuildATreeAndMacsDoNot) {
  const Experiment e = experiment();
  const auto& s = verification_settings(e);
  const auto work = [&](const std::string& algorithm, const std::string& name) {
    for (const auto& m : verification_metrics(algorithm, s))
      if (m.name == name) return m.work;
    throw std::runtime_error("no metric " + name);
  };
  EXPECT_EQ(work("sha256", "memory.4KiB.1").degree, 128u);
  EXPECT_EQ(work("sha256", "memory.whole.1").degree, 0u);  // one digest
  EXPECT_EQ(work("sha256", "short.64B").degree, 0u);
  EXPECT_EQ(work("gmac", "memory.4KiB.1").degree, 0u);
  EXPECT_EQ(work("sha256-mb", "memory.64KiB.1").other, "sha256");
  EXPECT_EQ(work("sha256-mb", "memory.4KiB.2").threads, 2u);
  EXPECT_EQ(work("gmac", "memory.whole.1").message, s.size.count);
}

TEST(Verification, RatiosAreToTheSameRun) {
  const Experiment e = experiment(R"("algorithms": ["sha1", "gmac"], "granularity": ["4KiB"])");
  std::vector<VerificationData> data(4);
  for (std::size_t i = 0; i < 4; ++i) data[i].point = i;
  data[point_of(e, "read")].groups["memory.whole.1"] = {{0.004, 0.004}, {0.004}};
  data[point_of(e, "sha1")].groups["memory.4KiB.1"] = {{0.05, 0.05}, {0.05}};
  data[point_of(e, "gmac")].groups["memory.4KiB.1"] = {{0.006, 0.006}, {0.006}};
  const Result r = compared(e, data);
  EXPECT_NEAR(metric(r, point_of(e, "gmac"), "x_read.4KiB")->measured->median, 1.5, 1e-9);
  EXPECT_NEAR(metric(r, point_of(e, "gmac"), "x_sha1.4KiB")->measured->median, 0.12, 1e-9);
  EXPECT_NEAR(*metric(r, point_of(e, "gmac"), "x_read.4KiB")->simulated, 1.0, 1e-9);
}

TEST(Verification, TheSimulatedColumnDoesNotDependOnWhatWasMeasured) {
  const Experiment e = experiment(R"("algorithms": ["sha256-mb"])");
  std::vector<VerificationData> one(3), other(3);
  for (std::size_t i = 0; i < 3; ++i) one[i].point = other[i].point = i;
  other[2].groups["memory.4KiB.1"] = {{5.0}};
  const Result a = compared(e, one), b = compared(e, other);
  const double predicted = *metric(a, 2, "memory.4KiB.1")->simulated;
  EXPECT_EQ(predicted, *metric(b, 2, "memory.4KiB.1")->simulated);
  EXPECT_GT(predicted, 0.01);
  EXPECT_FALSE(metric(a, 2, "memory.4KiB.1")->measured);
  EXPECT_FALSE(*metric(b, 2, "memory.4KiB.1")->within_tolerance);
}

TEST(Verification, WhatIsNotHereHasNoNumberInEitherWorld) {
  const Experiment e = experiment(R"("algorithms": ["gmac-mb"])");
  std::vector<VerificationData> data(3);
  for (std::size_t i = 0; i < 3; ++i) data[i].point = i;
  data[2].unavailable = "no such processor";
  EXPECT_TRUE(compared(e, data).points[2].metrics.empty());
}

TEST(Verification, TheTableAnswersBothQuestionsAndNamesTheSeed) {
  const Experiment e = experiment();
  std::vector<VerificationData> data(verification_settings(e).points.size());
  for (std::size_t i = 0; i < data.size(); ++i) {
    data[i].point = i;
    const std::string& name = verification_settings(e).points[i].algorithm;
    const double seconds = name == "sha1"        ? 0.05
                           : name == "sha256-mb" ? 0.02
                           : name == "gmac-mb"   ? 0.006
                           : name == "vmac-64"   ? 0.005
                           : name == "xxh3"      ? 0.001
                                                 : 0.1;
    data[i].groups["memory.4KiB.1"] = {{seconds}, {seconds}};
    if (name == "read") data[i].groups["memory.whole.1"] = {{0.004}, {0.004}};
  }
  const std::string text = verification_table(compared(e, data), e);
  EXPECT_THAT(text,
              HasSubstr("keyed    gmac-mb by 4KiB: 1.50 x"));  // not the reference, not 64 bits
  EXPECT_THAT(text, HasSubstr("tree     sha256-mb by 4KiB: 0.40 x SHA-1 (at most 0.60): holds"));
  EXPECT_THAT(text,
              HasSubstr("SHA-1 390 ms, VMAC 29 ms, 13.4 x; the same two here: 50.0 ms, 5.00 ms"));
  EXPECT_THAT(text, Not(HasSubstr("nan")));
  const Answer a = verification_answer(compared(e, data), e);
  EXPECT_EQ(a.answer, "6.00 ms keyed, 20.0 ms hashed");
  EXPECT_THAT(a.detail, HasSubstr("gmac-mb and sha256-mb"));
  EXPECT_THAT(a.detail, HasSubstr("reading alone 4.00 ms"));
}

TEST(Verification, RunsAndComparesOnThisMachine) {
  // Another run on this host holds the lock of its own home.
  const std::string home = ::testing::TempDir() + "verification-" + std::to_string(::getpid());
  ::setenv("MISSIVE_HOME", home.c_str(), 1);
  Experiment e = experiment(
      R"("backend": "real", "algorithms": ["sha256", "gmac"], "size": "1MiB", "cached_size": "64KiB",
         "threads": [1], "processes": 2, "repetitions": 2)");
  RunOptions options;
  const Result r = run_verification(e, options);
  EXPECT_TRUE(r.summary.failures.empty());
  const Metric* m = metric(r, point_of(e, "gmac"), "memory.4KiB.1");
  ASSERT_NE(m, nullptr);
  EXPECT_EQ(m->measured->n, 4u);
  EXPECT_FALSE(m->simulated);
  std::filesystem::remove_all(home);
}

}  // namespace
}  // namespace missive::harness
