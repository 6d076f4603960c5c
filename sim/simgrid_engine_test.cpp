#include "sim/simgrid_engine.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "models/error.h"
#include "sim/isolated.h"

namespace missive {
namespace {

using testing::HasSubstr;

// The ends in ps, joined by spaces, from an engine in a process of its own.
std::string ends(const EngineJob& job) {
  return run_isolated("engine",
                      [&job] { return fmt::format("{}", fmt::join(run_engine(job).end_ps, " ")); });
}

EngineStep compute(std::string name, std::int64_t ps, std::vector<std::size_t> after = {}) {
  EngineStep step;
  step.name = std::move(name);
  step.compute_ps = ps;
  step.after = std::move(after);
  return step;
}

EngineJob job(std::vector<EngineStep> steps, int cores = 2) {
  EngineJob result;
  result.hosts = {{"machine", cores}};
  result.steps = std::move(steps);
  return result;
}

TEST(SimgridEngine, WorkTakesItsTimeToThePicosecond) {
  for (std::int64_t ps : {1LL, 2LL, 999LL, 1'000'000LL, 123'456'789'012LL, 100'000'000'000'000LL})
    EXPECT_EQ(ends(job({compute("a", ps)})), std::to_string(ps));
}

TEST(SimgridEngine, ChainsKeepThePicosecond) {
  std::vector<EngineStep> steps{compute("s0", 7)};
  for (std::size_t i = 1; i < 500; ++i)
    steps.push_back(compute(fmt::format("s{}", i), 7 + static_cast<std::int64_t>(i), {i - 1}));
  const std::string all = ends(job(steps));
  std::int64_t sum = 7;
  for (std::int64_t i = 1; i < 500; ++i) sum += 7 + i;
  EXPECT_EQ(all.substr(all.rfind(' ') + 1), std::to_string(sum));
}

TEST(SimgridEngine, AStepWithoutWorkTakesNoTime) {
  EXPECT_EQ(ends(job({compute("a", 50), compute("b", 0, {0}), compute("c", 5, {1})})), "50 50 55");
}

TEST(SimgridEngine, StepsThatWaitForEachOtherAreADeadlock) {
  const EngineJob ring = job({compute("first", 1), compute("a", 1, {0, 2}), compute("b", 1, {1})});
  try {
    ends(ring);
    FAIL();
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("deadlock: 2 of 3 steps never ended, the first is 'a'"));
  }
}

TEST(SimgridEngine, ReportsItsSettingsAsTheyAreInForce) {
  const std::string text = run_isolated("engine", [] {
    std::string all;
    for (const auto& [name, value] : run_engine(job({})).settings) all += name + "=" + value + "\n";
    return all;
  });
  for (const char* line :
       {"network/model=CM02\n", "network/crosstraffic=0\n", "network/TCP-gamma=0\n",
        "network/weight-S=0\n", "network/latency-factor=1\n", "network/bandwidth-factor=1\n",
        "surf/precision=1e-12\n", "cpu/optim=Lazy\n", "network/optim=Lazy\n", "simgrid=3."})
    EXPECT_THAT(text, HasSubstr(line));
}

// Why every simulation has a process of its own: the second engine goes on where the first stopped.
// Should this ever fail, the fork can go.
TEST(SimgridEngine, ASecondEngineInOneProcessContinuesTheClock) {
  const std::string second = run_isolated("engine", [] {
    const EngineJob once = job({compute("a", 1000)});
    run_engine(once);
    try {
      return std::to_string(run_engine(once).end_ps[0]);
    } catch (const std::exception&) {
      return std::string("refused");
    }
  });
  EXPECT_NE(second, "1000");
}

}  // namespace
}  // namespace missive
