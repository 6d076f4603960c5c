#include "sim/simgrid_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <tuple>

#include "models/cost.h"
#include "models/error.h"
#include "sim/isolated.h"
#include "sim/simgrid_engine.h"

namespace missive {

namespace {

constexpr int kDefaultCores = 2;
constexpr std::size_t kMachine = 0, kOriginMachine = 1;

// Translates a plan for the engine and notes the parameters that took part.
class Translator {
 public:
  Translator(const ParameterSet& parameters, const SimOptions& options)
      : parameters_(parameters), options_(options) {}

  EngineJob translate(const Plan& plan) {
    const int machine_cores = cores();
    job_.hosts = {{"machine", machine_cores}, {"origin", machine_cores}};
    for (const Step& step : plan.steps) job_.steps.push_back(translate(step));
    return job_;
  }
  const std::set<std::string>& used() const { return used_; }

 private:
  double read(const std::string& name) {
    used_.insert(name);
    return parameters_.value(name);
  }

  int cores() {
    const std::string name = "machine.cores";
    if (!parameters_.contains(name)) return kDefaultCores;
    const double value = read(name);
    if (!(value >= 1 && value <= 4096) || value != std::floor(value))
      throw InputError(fmt::format(
          "parameters: '{}' is {}; a machine has a whole number of cores, 1 to 4096", name, value));
    return static_cast<int>(value);
  }

  std::size_t link(const std::string& name) {
    if (const auto known = links_.find(name); known != links_.end()) return known->second;
    const std::string latency = "link." + name + ".latency_s";
    const std::string bandwidth = "link." + name + ".bandwidth_bytes_per_s";
    const EngineLink link{name, read(latency), read(bandwidth)};
    if (link.latency_s < 0)
      throw InputError("parameters: '" + latency + "' is negative; a latency cannot be");
    if (!(link.bandwidth_bytes_per_s > 0))
      throw InputError("parameters: '" + bandwidth + "' is not above zero; nothing would arrive");
    job_.links.push_back(link);
    return links_[name] = job_.links.size() - 1;
  }

  EngineStep translate(const Step& step) {
    EngineStep result;
    result.name = step.name;
    result.after = step.after;
    // A predecessor named twice is one predecessor; SimGrid refuses the second.
    std::sort(result.after.begin(), result.after.end());
    result.after.erase(std::unique(result.after.begin(), result.after.end()), result.after.end());
    const bool at_origin = step.place == Place::origin;
    result.host = at_origin && !options_.origin_shares_machine ? kOriginMachine : kMachine;
    if (!step.once.empty())
      result.once = pieces_.try_emplace(step.once, pieces_.size()).first->second;
    for (const Demand& demand : step.demands)
      result.compute_ps += cost(demand, parameters_, &used_).count();
    if (step.transfer) {
      result.transfers = true;
      result.link = link(step.transfer->link);
      result.direction = at_origin ? Direction::down : Direction::up;
      result.bytes = step.transfer->bytes.count;
    }
    return result;
  }

  const ParameterSet& parameters_;
  const SimOptions& options_;
  EngineJob job_;
  std::map<std::string, std::size_t> links_;
  std::map<std::string, std::size_t> pieces_;  // Step::once, numbered
  std::set<std::string> used_;
};

std::string encode(const EngineOutcome& outcome) {
  return nlohmann::json{{"end_ps", outcome.end_ps}, {"settings", outcome.settings}}.dump();
}

EngineOutcome decode(const std::string& text, std::size_t steps) {
  EngineOutcome outcome;
  try {
    const auto document = nlohmann::json::parse(text);
    document.at("end_ps").get_to(outcome.end_ps);
    document.at("settings").get_to(outcome.settings);
  } catch (const nlohmann::json::exception& e) {
    throw RunError(std::string("simulation: the engine's answer is garbled: ") + e.what());
  }
  if (outcome.end_ps.size() != steps)
    throw RunError("simulation: the engine answered for another number of steps");
  return outcome;
}

std::vector<Record> records_of(const Plan& plan, const std::vector<std::int64_t>& end_ps) {
  std::vector<Record> records;
  for (StepId id = 0; id < plan.steps.size(); ++id) {
    const Step& step = plan.steps[id];
    // A step starts when the last one it waits for ends; that it may then share a core or a link
    // is part of its duration.
    Picos start{0};
    for (StepId before : step.after) start = std::max(start, records[before].end);
    records.push_back({step.name, step.phase, step.place, start, Picos{end_ps[id]}, step.amounts});
  }
  return records;
}

}  // namespace

SimulationResult simulate(const Plan& plan, const ParameterSet& parameters,
                          const SimOptions& options) {
  check(plan);
  Translator translator(parameters, options);
  const EngineJob job = translator.translate(plan);
  IsolationLimits limits;
  limits.timeout = options.timeout;
  const std::string answer = run_isolated(
      "simulation", [&job] { return encode(run_engine(job)); }, limits);
  EngineOutcome outcome = decode(answer, plan.steps.size());

  SimulationResult result;
  result.records = records_of(plan, outcome.end_ps);
  result.parameters_used = translator.used();
  result.settings = std::move(outcome.settings);
  result.settings["machine/cores"] = std::to_string(job.hosts[kMachine].cores);
  result.settings["origin/machine"] = options.origin_shares_machine ? "shared" : "own";
  if (options.trace) result.trace = trace_text(result.records);
  return result;
}

std::string trace_text(const std::vector<Record>& records) {
  // At one instant a step's end comes before the starts it allows: those have a higher index.
  std::vector<std::tuple<Picos, std::size_t, bool>> events;
  for (std::size_t i = 0; i < records.size(); ++i) {
    events.emplace_back(records[i].start, i, false);
    events.emplace_back(records[i].end, i, true);
  }
  std::sort(events.begin(), events.end());
  std::string text;
  for (const auto& [time, i, ends] : events)
    text += fmt::format("[{}.{:012}] {} {} {}\n", time.count() / 1'000'000'000'000,
                        time.count() % 1'000'000'000'000, to_string(records[i].place),
                        records[i].step, ends ? "end" : "start");
  return text;
}

}  // namespace missive
