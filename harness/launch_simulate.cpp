#include "harness/launch_simulate.h"

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "harness/launch_facts.h"
#include "harness/launch_inputs.h"
#include "models/error.h"
#include "models/launch.h"
#include "real/verify/verification_mode.h"
#include "real/verify/verifier.h"
#include "sim/simgrid_executor.h"

namespace missive::harness {

namespace {

LaunchScenario scenario_of(const LaunchPoint& p) {
  const auto facts = load_facts(facts_key(p));
  if (!facts)
    throw NotAvailable("the image of " + p.application +
                       " with these options was never built, and its facts do not ship; "
                       "run the experiment with --backend both once");
  LaunchScenario scenario;
  scenario.temperature = p.temperature;
  scenario.keyed = verify::verifier(p.verifier).keyed;
  scenario.lazy = verify::verification_mode(p.verification).lazy;
  scenario.delivery = p.delivery;
  scenario.hand_over = p.hand_over;
  scenario.image = facts->image;
  scenario.application = facts->application;
  scenario.missing_blocks = facts->missing(p.temperature);
  return scenario;
}

// All on one machine, as where it is measured.
std::map<std::string, std::string> simulate_here(const LaunchScenario& scenario,
                                                 const ParameterSet& parameters, PointData& d,
                                                 const std::string& application) {
  SimOptions same_machine;
  same_machine.origin_shares_machine = true;
  const SimulationResult here = simulate(plan_launch(scenario), parameters, same_machine);
  d.simulated = times_of(here.records);
  d.simulated[kNativeTwin] = parameters.value("native_ready.call_s");
  d.simulated_records = here.records;
  d.simulated_amounts = total_amounts(here.records);
  d.parameters = here.parameters_used;
  // By the name that says whose start it is: a result of several applications has several.
  if (d.parameters.erase("native_ready.call_s") > 0)
    d.parameters.insert(native_ready_name(application));
  return here.settings;
}

// The origin at the other end of the experiment's link.
void simulate_far(LaunchScenario scenario, const ParameterSet& parameters, PointData& d) {
  scenario.origin_link = "origin";
  const auto times = times_of(simulate(plan_launch(scenario), parameters).records);
  d.simulated_only["total_over_link"] = times.at(kTotal);
  if (const auto fetch = times.find("fetch"); fetch != times.end())
    d.simulated_only["fetch_over_link"] = fetch->second;
}

}  // namespace

ParameterSet parameters_for(const ParameterSet& all, const LaunchPoint& point) {
  ParameterSet own = all;
  own.set("native_ready.call_s", all.at(native_ready_name(point.application)));
  set_origin_link(own, point);
  return own;
}

std::map<std::string, std::string> simulate_launches(const Experiment& experiment,
                                                     const ParameterSet& parameters, int jobs,
                                                     std::vector<PointData>& data) {
  std::map<std::string, std::string> settings;
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr first_error;
  const auto work = [&] {
    for (std::size_t i = next++; i < data.size(); i = next++) try {
        const LaunchPoint& point = experiment.points[data[i].point];
        const LaunchScenario scenario = scenario_of(point);
        const ParameterSet own = parameters_for(parameters, point);
        auto used = simulate_here(scenario, own, data[i], point.application);
        simulate_far(scenario, own, data[i]);
        const std::lock_guard lock(mutex);
        settings = std::move(used);  // of all points the same
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!first_error) first_error = std::current_exception();
      }
  };
  std::vector<std::jthread> workers;
  for (int j = 1; j < jobs; ++j) workers.emplace_back(work);
  work();
  workers.clear();
  if (first_error) std::rethrow_exception(first_error);
  return settings;
}

}  // namespace missive::harness
