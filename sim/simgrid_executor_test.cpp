#include "sim/simgrid_executor.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "models/error.h"
#include "models/queueing.h"
#include "models/random.h"
#include "models/statistics.h"

namespace missive {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kMicro = 1'000'000, kMilli = 1'000'000'000, kSecond = 1'000'000'000'000;

void set(ParameterSet& parameters, const std::string& name, double value) {
  Parameter p;
  p.value = value;
  p.source = "a test";
  parameters.set(name, p);
}

ParameterSet with_link(double latency, double bandwidth, double cores = 2) {
  ParameterSet parameters;
  set(parameters, "machine.cores", cores);
  set(parameters, "link.wan.latency_s", latency);
  set(parameters, "link.wan.bandwidth_bytes_per_s", bandwidth);
  return parameters;
}

Step work(std::string name, std::int64_t ps, std::vector<StepId> after = {},
          Place place = Place::launcher, Phase phase = Phase::create) {
  Step step;
  step.name = std::move(name);
  step.phase = phase;
  step.place = place;
  step.after = std::move(after);
  if (ps > 0) step.demands = {{"cpu_time", 0, Bytes{}, static_cast<std::uint64_t>(ps)}};
  return step;
}

Step transfer(std::string name, std::uint64_t bytes, std::vector<StepId> after = {},
              Place place = Place::origin) {
  Step step = work(std::move(name), 0, std::move(after), place, Phase::fetch);
  step.transfer = Transfer{"wan", Bytes{bytes}};
  return step;
}

std::vector<std::int64_t> ends(const SimulationResult& result) {
  std::vector<std::int64_t> all;
  for (const Record& record : result.records) all.push_back(record.end.count());
  return all;
}

std::int64_t only_end(const Plan& plan, const ParameterSet& parameters) {
  return simulate(plan, parameters).records.at(0).end.count();
}

TEST(SimgridExecutor, TransferTakesLatencyPlusBytesOverBandwidth) {
  for (double latency : {0.0, 10e-6, 1e-3, 20e-3, 100e-3})
    for (double bandwidth : {6.25e6, 125e6, 1.25e10})
      for (std::uint64_t bytes : {0ull, 1ull, 1500ull, 65536ull, 1048576ull, 104857600ull}) {
        Plan plan;
        plan.add(transfer("t", bytes));
        const double expected = latency + static_cast<double>(bytes) / bandwidth;
        EXPECT_NEAR(static_cast<double>(only_end(plan, with_link(latency, bandwidth))),
                    expected * 1e12, 1000)  // 1 ns
            << latency << " s, " << bandwidth << " B/s, " << bytes << " B";
      }
}

// 1 MB and 3 MB at 1 MB/s: half the rate each until the small one ends at 2 s, with 2 MB left for
// the large one: it ends at 4 s. The latency of 10 ms comes once, before.
TEST(SimgridExecutor, TwoFlowsShareALink) {
  Plan plan;
  plan.add(transfer("small", 1'000'000));
  plan.add(transfer("large", 3'000'000));
  const auto times = ends(simulate(plan, with_link(10e-3, 1e6)));
  EXPECT_NEAR(static_cast<double>(times[0]), 2.01e12, 1000);
  EXPECT_NEAR(static_cast<double>(times[1]), 4.01e12, 1000);
}

TEST(SimgridExecutor, OppositeDirectionsDoNotSlowEachOther) {
  Plan plan;
  plan.add(transfer("down", 1'000'000, {}, Place::origin));
  plan.add(transfer("up", 1'000'000, {}, Place::cache));
  const auto times = ends(simulate(plan, with_link(0, 1e6)));
  EXPECT_EQ(times[0], kSecond);
  EXPECT_EQ(times[1], kSecond);
}

TEST(SimgridExecutor, DiamondWaitsForItsSlowerSide) {
  Plan plan;
  const StepId top = plan.add(work("top", 10 * kMicro));
  const StepId left = plan.add(work("left", 20 * kMicro, {top}));
  const StepId right = plan.add(work("right", 50 * kMicro, {top}));
  plan.add(work("bottom", 5 * kMicro, {left, right}));
  const SimulationResult result = simulate(plan, with_link(0, 1));
  EXPECT_THAT(ends(result), ElementsAre(10 * kMicro, 30 * kMicro, 60 * kMicro, 65 * kMicro));
  EXPECT_EQ(result.records[3].start.count(), 60 * kMicro);
  EXPECT_EQ(total_time(result.records).count(), 65 * kMicro);
}

// Each gets two thirds of a core: 1.5 times as long.
TEST(SimgridExecutor, ThreeStepsShareTwoCoresFairly) {
  Plan plan;
  for (const char* name : {"a", "b", "c"}) plan.add(work(name, 2 * kMilli));
  for (std::int64_t end : ends(simulate(plan, with_link(0, 1))))
    EXPECT_NEAR(static_cast<double>(end), 3.0 * kMilli, 2);
}

TEST(SimgridExecutor, OneStepNeverUsesTwoCores) {
  Plan plan;
  plan.add(work("a", 2 * kMilli));
  plan.add(work("b", 2 * kMilli));
  EXPECT_THAT(ends(simulate(plan, with_link(0, 1))), ElementsAre(2 * kMilli, 2 * kMilli));
}

TEST(SimgridExecutor, OriginHasItsOwnMachineUnlessToldOtherwise) {
  Plan plan;
  plan.add(work("client", 2 * kMilli));
  plan.add(work("vendor", 2 * kMilli, {}, Place::origin));
  const ParameterSet one_core = with_link(0, 1, 1);
  EXPECT_THAT(ends(simulate(plan, one_core)), ElementsAre(2 * kMilli, 2 * kMilli));
  SimOptions shared;
  shared.origin_shares_machine = true;
  const SimulationResult result = simulate(plan, one_core, shared);
  for (std::int64_t end : ends(result)) EXPECT_NEAR(static_cast<double>(end), 4.0 * kMilli, 2);
  EXPECT_EQ(result.settings.at("origin/machine"), "shared");
}

TEST(SimgridExecutor, LauncherCacheAndApplicationShareTheMachine) {
  Plan plan;
  for (Place place : {Place::launcher, Place::cache, Place::application})
    plan.add(work(to_string(place), kMilli, {}, place));
  for (std::int64_t end : ends(simulate(plan, with_link(0, 1, 1))))
    EXPECT_NEAR(static_cast<double>(end), 3.0 * kMilli, 3);
}

TEST(SimgridExecutor, DemandsOfAStepAddUpAndComeBeforeItsTransfer) {
  Plan plan;
  Step step = transfer("t", 1000);
  step.demands = {{"cpu_time", 0, Bytes{}, 3 * kMicro}, {"cpu_time", 0, Bytes{}, 4 * kMicro}};
  plan.add(step);
  EXPECT_EQ(only_end(plan, with_link(1e-3, 1e9)), 1008 * kMicro);  // 7 us + 1 ms + 1 us
}

// A launch in small: every figure below is worked out in its comment.
Plan small_launch() {
  Plan plan;
  // 0 .. 1.5 ms
  const StepId create = plan.add(work("create", 1500 * kMicro));
  // .. 1.7 ms
  const StepId lookup =
      plan.add(work("lookup", 200 * kMicro, {create}, Place::launcher, Phase::lookup));
  // The request: 0.1 ms of work, then 20 ms + 625 B at 6.25 MB/s = 0.1 ms: .. 21.9 ms
  Step ask = transfer("fetch.request", 625, {lookup}, Place::cache);
  ask.demands = {{"cpu_time", 0, Bytes{}, 100 * kMicro}};
  const StepId request = plan.add(ask);
  // The body: 20 ms + 1,250,000 B = 200 ms: .. 241.9 ms
  const StepId body = plan.add(transfer("fetch.body", 1'250'000, {request}));
  // Meanwhile it is checked, 3 ms on the client's machine: 21.9 .. 24.9 ms
  const StepId check =
      plan.add(work("fetch.check", 3 * kMilli, {request}, Place::cache, Phase::fetch));
  // .. 242.4 ms
  const StepId map =
      plan.add(work("map", 500 * kMicro, {body, check}, Place::launcher, Phase::map));
  // .. 243.9 ms
  const StepId verify =
      plan.add(work("verify", 1500 * kMicro, {map}, Place::launcher, Phase::verify));
  // .. 343.9 ms
  plan.add(work("boot", 100 * kMilli, {verify}, Place::application, Phase::boot));
  plan.steps[body].amounts[Amount::bytes_fetched] = 1'250'000;
  plan.steps[verify].amounts[Amount::bytes_hashed] = 1'250'000;
  return plan;
}

TEST(SimgridExecutor, ALaunchWorkedOutByHand) {
  const SimulationResult result = simulate(small_launch(), with_link(20e-3, 6.25e6));
  EXPECT_EQ(phase_time(result.records, Phase::create).count(), 1500 * kMicro);
  EXPECT_EQ(phase_time(result.records, Phase::lookup).count(), 200 * kMicro);
  EXPECT_NEAR(static_cast<double>(phase_time(result.records, Phase::fetch).count()),
              240'200.0 * kMicro, 10);
  EXPECT_NEAR(static_cast<double>(phase_time(result.records, Phase::map).count()), 500.0 * kMicro,
              10);
  EXPECT_NEAR(static_cast<double>(phase_time(result.records, Phase::verify).count()),
              1500.0 * kMicro, 10);
  EXPECT_NEAR(static_cast<double>(total_time(result.records).count()), 343'900.0 * kMicro, 10);
  EXPECT_EQ(total_amounts(result.records)[Amount::bytes_fetched], 1'250'000u);
  EXPECT_EQ(total_amounts(result.records)[Amount::bytes_hashed], 1'250'000u);
}

// Compares with sim/golden/NAME.txt; MISSIVE_UPDATE_GOLDEN=1 writes it again.
void expect_golden(const std::string& name, const std::string& text) {
  // CTest runs tests in the source folder.
  const auto path = std::filesystem::path("sim/golden") / (name + ".txt");
  if (std::getenv("MISSIVE_UPDATE_GOLDEN") != nullptr) std::ofstream(path) << text;
  std::ifstream file(path);
  ASSERT_TRUE(file) << path;
  std::stringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(golden.str(), text) << "a change here is a change of the model: say so in the commit";
}

TEST(SimgridExecutor, TraceOfALaunchIsGolden) {
  SimOptions options;
  options.trace = true;
  expect_golden("small_launch", simulate(small_launch(), with_link(20e-3, 6.25e6), options).trace);
}

TEST(SimgridExecutor, TraceOfContentionIsGolden) {
  Plan plan;
  for (const char* name : {"a", "b", "c"}) plan.add(work(name, 2 * kMilli));
  plan.add(transfer("small", 1'000'000, {0}));
  plan.add(transfer("large", 3'000'000, {1}));
  SimOptions options;
  options.trace = true;
  expect_golden("contention", simulate(plan, with_link(10e-3, 1e6), options).trace);
}

TEST(SimgridExecutor, TwoCallsInARowGiveTheSame) {
  SimOptions options;
  options.trace = true;
  const ParameterSet parameters = with_link(20e-3, 6.25e6);
  const SimulationResult first = simulate(small_launch(), parameters, options);
  const SimulationResult second = simulate(small_launch(), parameters, options);
  EXPECT_EQ(first.records[0].start.count(), 0);
  EXPECT_EQ(second.records[0].start.count(), 0);
  EXPECT_EQ(first.trace, second.trace);
  EXPECT_EQ(first.settings, second.settings);
  EXPECT_EQ(first.parameters_used, second.parameters_used);
}

TEST(SimgridExecutor, TwiceTheBandwidthHalvesTheTransfer) {
  Plan plan;
  plan.add(transfer("t", 50'000'000));
  EXPECT_EQ(only_end(plan, with_link(0, 1e7)), 2 * only_end(plan, with_link(0, 2e7)));
}

TEST(SimgridExecutor, NamesTheParametersAndSettingsItUsed) {
  Plan plan;
  plan.add(transfer("t", 1));
  ParameterSet parameters = with_link(1e-3, 1e6);
  set(parameters, "unrelated.call_s", 1);
  const SimulationResult result = simulate(plan, parameters);
  EXPECT_THAT(result.parameters_used,
              ElementsAre("link.wan.bandwidth_bytes_per_s", "link.wan.latency_s", "machine.cores"));
  EXPECT_EQ(result.settings.at("network/model"), "CM02");
  EXPECT_EQ(result.settings.at("machine/cores"), "2");
  EXPECT_EQ(result.settings.at("origin/machine"), "own");
}

std::string input_error(const Plan& plan, const ParameterSet& parameters) {
  try {
    simulate(plan, parameters);
  } catch (const InputError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(SimgridExecutor, MissingOrImpossibleParametersAreNamed) {
  Plan plan;
  plan.add(transfer("t", 1));
  EXPECT_THAT(input_error(plan, ParameterSet{}), HasSubstr("'link.wan.latency_s' is missing"));
  EXPECT_THAT(input_error(plan, with_link(-1, 1)), HasSubstr("latency_s' is negative"));
  EXPECT_THAT(input_error(plan, with_link(1, 0)), HasSubstr("is not above zero"));
  EXPECT_THAT(input_error(plan, with_link(1, 1, 1.5)), HasSubstr("'machine.cores' is 1.5"));
  EXPECT_THAT(input_error(plan, with_link(1, 1, 0)), HasSubstr("'machine.cores' is 0"));
}

TEST(SimgridExecutor, ABrokenPlanIsADefect) {
  Plan plan;
  plan.add(work("a", 1, {0}));
  EXPECT_THROW(simulate(plan, ParameterSet{}), std::logic_error);
}

TEST(SimgridExecutor, AnEmptyPlanIsAnEmptyResult) {
  EXPECT_TRUE(simulate(Plan{}, ParameterSet{}).records.empty());
}

TEST(SimgridExecutor, NamingAPredecessorTwiceIsNamingItOnce) {
  Plan plan;
  plan.add(work("a", 5));
  plan.add(work("b", 5, {0, 0}));
  EXPECT_THAT(ends(simulate(plan, ParameterSet{})), ElementsAre(5, 10));
}

// Two chains that both come to one piece of work, each after a delay; it takes the first one 10 and
// the second one 3. Ends of the piece in each chain, and of what follows on it, in microseconds.
std::vector<std::int64_t> ends_of_two(std::int64_t first_delay, std::int64_t second_delay) {
  Plan plan;
  plan.add(work("first.delay", first_delay * kMicro));
  plan.add(work("second.delay", second_delay * kMicro));
  plan.add(work("first", 10 * kMicro, {0}));
  plan.add(work("second", 3 * kMicro, {1}));
  plan.steps[2].once = plan.steps[3].once = "piece";
  plan.add(work("first.next", 5 * kMicro, {2}));
  plan.add(work("second.next", 5 * kMicro, {3}));
  std::vector<std::int64_t> all;
  for (const std::int64_t ps : ends(simulate(plan, ParameterSet{})))
    all.push_back(std::llround(static_cast<double>(ps) / kMicro));
  return {all.begin() + 2, all.end()};
}

TEST(SimgridExecutor, WorkThatIsDoneOnceIsDoneByWhoComesToItFirst) {
  EXPECT_THAT(ends_of_two(1, 21), ElementsAre(11, 21, 16, 26)) << "done: nothing is left to do";
  EXPECT_THAT(ends_of_two(1, 9), ElementsAre(11, 11, 16, 16)) << "under way: waited for";
  EXPECT_THAT(ends_of_two(1, 7), ElementsAre(11, 10, 16, 15)) << "its own way is sooner";
  EXPECT_THAT(ends_of_two(5, 1), ElementsAre(5, 4, 10, 9)) << "the other's way takes 3";
  EXPECT_THAT(ends_of_two(2, 1), ElementsAre(4, 4, 9, 9)) << "under way: waited for";
}

TEST(SimgridExecutor, TooSlowASimulationIsAnError) {
  Plan plan;  // 3000 flows on one link cost seconds
  for (int i = 0; i < 3000; ++i)
    plan.add(transfer(fmt::format("t{}", i), 1000 + static_cast<std::uint64_t>(i)));
  SimOptions options;
  options.timeout = std::chrono::milliseconds(1);
  EXPECT_THROW(simulate(plan, with_link(0, 1e6), options), RunError);
}

// Jobs arrive in a Poisson stream, made by a chain of transfers over a link of 1 byte per
// picosecond that nothing else uses, and are served by a machine of one core. Returns the mean
// response of the jobs after the first `warm_up`.
double mean_response(std::uint64_t stream, double lambda, double mu, bool in_order) {
  constexpr std::size_t kJobs = 1500, kWarmUp = 300;
  ParameterSet parameters = with_link(0, 1e12, 1);
  Random gaps(11, 2 * stream), services(11, 2 * stream + 1);
  Plan plan;
  std::vector<StepId> arrivals, jobs;
  for (std::size_t i = 0; i < kJobs; ++i) {
    const auto gap = from_seconds(gaps.exponential(1 / lambda)).count();
    const std::vector<StepId> last = i == 0 ? std::vector<StepId>{} : std::vector{arrivals.back()};
    arrivals.push_back(
        plan.add(transfer(fmt::format("arrival{}", i), static_cast<std::uint64_t>(gap), last)));
    std::vector<StepId> after{arrivals.back()};
    if (in_order && i > 0) after.push_back(jobs.back());
    const auto service = from_seconds(services.exponential(1 / mu)).count();
    jobs.push_back(plan.add(work(fmt::format("job{}", i), service, after)));
  }
  const SimulationResult result = simulate(plan, parameters);
  double sum = 0;
  for (std::size_t i = kWarmUp; i < kJobs; ++i)
    sum += to_seconds(result.records[jobs[i]].end - result.records[arrivals[i]].end);
  return sum / (kJobs - kWarmUp);
}

// Within three standard errors over independent runs.
void expect_mm1(bool in_order) {
  constexpr double kLambda = 60, kMu = 100;
  std::vector<double> means;
  for (std::uint64_t run = 0; run < 16; ++run)
    means.push_back(mean_response(run, kLambda, kMu, in_order));
  double mean = 0, squares = 0;
  const double n = static_cast<double>(means.size());
  for (double m : means) mean += m / n;
  for (double m : means) squares += (m - mean) * (m - mean);
  const double error = std::sqrt(squares / (n - 1) / n);
  const double theory = in_order ? mm1_response(kLambda, kMu) : mg1_shared_response(kLambda, kMu);
  EXPECT_NEAR(mean, theory, 3 * error);
  EXPECT_LT(error, 0.1 * theory);  // or the test would say nothing
}

TEST(SimgridExecutor, OneServerInOrderIsMM1) { expect_mm1(true); }

TEST(SimgridExecutor, ASharedCoreIsAProcessorSharingQueue) { expect_mm1(false); }

}  // namespace
}  // namespace missive
