// Plans per second: what one simulated point costs, process included, by the size and the shape of
// the plan.

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "sim/simgrid_executor.h"

namespace missive {
namespace {

ParameterSet parameters() {
  ParameterSet set;
  const auto add = [&set](const std::string& name, double value) {
    Parameter p;
    p.value = value;
    p.source = "a benchmark";
    set.set(name, p);
  };
  add("link.wan.latency_s", 20e-3);
  add("link.wan.bandwidth_bytes_per_s", 6.25e6);
  return set;
}

// Steps with a little work and a transfer each, one after the other or all at once.
Plan plan_of(std::int64_t steps, bool chained) {
  Plan plan;
  for (std::int64_t i = 0; i < steps; ++i) {
    Step step;
    step.name = fmt::format("step{}", i);
    step.place = Place::origin;
    if (chained && i > 0) step.after = {static_cast<StepId>(i - 1)};
    step.demands = {{"cpu_time", 0, Bytes{}, 1'000'000}};
    step.transfer = Transfer{"wan", Bytes{65536}};
    plan.add(std::move(step));
  }
  return plan;
}

void run(benchmark::State& state, bool chained) {
  const Plan plan = plan_of(state.range(0), chained);
  const ParameterSet set = parameters();
  for (auto _ : state) benchmark::DoNotOptimize(simulate(plan, set));
  state.counters["plans"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void chain(benchmark::State& state) { run(state, true); }
void storm(benchmark::State& state) { run(state, false); }

BENCHMARK(chain)->Arg(1)->Arg(10)->Arg(100)->Arg(1000)->UseRealTime()->Unit(
    benchmark::kMillisecond);
BENCHMARK(storm)->Arg(10)->Arg(100)->Arg(1000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace missive
