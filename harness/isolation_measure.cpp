#include "harness/isolation_measure.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include <sched.h>

#include "real/domains/attack_matrix.h"
#include "real/domains/cells/creation.h"
#include "real/domains/cells/density.h"
#include "real/domains/cells/execution.h"
#include "real/domains/cells/instructions.h"
#include "real/domains/cells/memory.h"
#include "real/domains/cells/sharing.h"
#include "real/domains/cells/switch.h"
#include "real/domains/domain.h"
#include "real/domains/limits.h"
#include "real/measure/micro_isolation_list.h"
#include "real/measure/scratch.h"
#include "real/process.h"

namespace missive::harness {

namespace {

// Its two sides spin, on two CPUs.
constexpr const char* kSpinning = "process-spin";

domains::DomainOptions domain_options(const std::string& mechanism) {
  domains::DomainOptions o;
  o.max_message = 4096;
  o.peer_cpu = mechanism == kSpinning ? measure::second_cpu() : measure::first_cpu();
  return o;
}

std::vector<std::size_t> sizes(const std::vector<std::uint64_t>& values) {
  return {values.begin(), values.end()};
}

std::string metric_name(const domains::Series& s, Cell cell) {
  std::string name = s.metric;
  if (!s.variant.empty()) name += '.' + s.variant;
  // Of an execution x is the size of the request, which the point's parameters have.
  if (s.x != 0 && cell != Cell::execution) name += '.' + std::to_string(s.x);
  return name;
}

void append(CellMeasurement& out, const domains::CellResult& result, Cell cell) {
  for (const domains::Series& s : result.series)
    out.metrics.push_back(
        {metric_name(s, cell), s.unit == "bytes" ? "B" : s.unit, s.values, s.note});
  if (out.stopped_by.empty()) out.stopped_by = result.stopped_by;
}

domains::Entry kernel_of(const std::string& name) {
  for (const domains::Entry entry : domains::kernels())
    if (name == domains::name_of(entry)) return entry;
  throw InputError("no kernel '" + name + "'");
}

CellMeasurement switching(const domains::Mechanism& m, const Experiment& e, std::uint64_t seed) {
  domains::SwitchOptions o;
  o.batches = e.repetitions;
  o.domain = domain_options(m.name);
  o.chain = sizes(isolation_settings(e).chain);
  o.round_robin = sizes(isolation_settings(e).round_robin);
  o.seed = seed;
  CellMeasurement out;
  append(out, domains::measure_switch(m, o), Cell::switching);
  return out;
}

CellMeasurement creation(const domains::Mechanism& m, const Experiment& e) {
  domains::CreationOptions o;
  o.repetitions = e.repetitions;
  o.sustained = e.repetitions;
  o.domain = domain_options(m.name);
  CellMeasurement out;
  append(out, domains::measure_creation(m, o), Cell::creation);
  return out;
}

// Creators that could use every CPU: in a process that is not pinned.
CellMeasurement storms(const domains::Mechanism& m, const Experiment& e) {
  domains::CreationOptions o;
  o.repetitions = 1;
  o.sustained = 0;
  o.domain = domain_options(m.name);
  o.domain.peer_cpu = -1;
  for (const std::uint64_t n : isolation_settings(e).creators)
    o.creators.push_back(static_cast<int>(n));
  domains::CellResult result = domains::measure_creation(m, o);
  std::erase_if(result.series,
                [](const domains::Series& s) { return s.metric != "creation.storm"; });
  CellMeasurement out;
  append(out, result, Cell::creation);
  return out;
}

CellMeasurement execution(const domains::Mechanism& m, const Experiment& e, std::uint64_t seed,
                          bool first) {
  domains::ExecutionOptions o;
  o.repetitions = e.repetitions;
  o.request_bytes = isolation_settings(e).request.count;
  o.kernels.clear();
  for (const std::string& kernel : isolation_settings(e).kernels)
    o.kernels.push_back(kernel_of(kernel));
  o.domain = domain_options(m.name);
  o.seed = seed;
  CellMeasurement out;
  append(out, domains::measure_execution(m, o), Cell::execution);
  if (!first || !isolation_settings(e).instructions) return out;
  domains::InstructionOptions counted;
  counted.request_bytes = o.request_bytes;
  counted.kernels = o.kernels;
  counted.seed = e.seed;  // the same request in every process: the counts are one and the same
  append(out, domains::measure_instructions(m, counted), Cell::execution);
  return out;
}

CellMeasurement sharing(const domains::Mechanism& m, const Experiment& e, std::uint64_t seed) {
  domains::SharingOptions o;
  o.repetitions = e.repetitions;
  o.sizes.clear();
  for (const Bytes size : isolation_settings(e).sizes) o.sizes.push_back(size.count);
  o.domain = domain_options(m.name);
  o.seed = seed;
  CellMeasurement out;
  append(out, domains::measure_sharing(m, o), Cell::sharing);
  return out;
}

CellMeasurement density(const domains::Mechanism& m, const Experiment& e, std::uint64_t seed) {
  domains::DensityOptions o;
  o.domains = isolation_settings(e).domains_for(m.name);
  o.domain = domain_options(m.name);
  o.seed = seed;
  CellMeasurement out;
  append(out, domains::measure_density(m, o), Cell::density);
  return out;
}

CellMeasurement security(const domains::Mechanism& m) {
  domains::AttackOptions options;
  options.bystander = domains::why_untimed(m).empty();  // emulated, each domain takes seconds
  const domains::AttackMatrix matrix = domains::attack_matrix(m, options);
  CellMeasurement out;
  for (const domains::AttackOutcome& outcome : matrix.outcomes) {
    CellValues v{domains::attacks().at(out.metrics.size()).name,
                 "1",
                 {},
                 domains::name_of(outcome.verdict) + ": " + outcome.evidence};
    if (outcome.verdict != domains::Verdict::not_applicable)
      v.values.push_back(outcome.verdict == domains::Verdict::contained ? kContained
                                                                        : kNotContained);
    out.metrics.push_back(std::move(v));
  }
  out.broken_claims = domains::broken_claims(m.claims, matrix);
  return out;
}

CellMeasurement measure_here(const domains::Mechanism& m, const IsolationPoint& point,
                             const Experiment& e, std::uint64_t seed, bool first) {
  switch (point.cell) {
    case Cell::switching:
      return switching(m, e, seed);
    case Cell::creation:
      return creation(m, e);
    case Cell::execution:
      return execution(m, e, seed, first);
    case Cell::sharing:
      return sharing(m, e, seed);
    case Cell::density:
      return density(m, e, seed);
    case Cell::security:
      return security(m);
  }
  throw std::logic_error("a cell without a measurement");
}

std::string encode(const CellMeasurement& m) {
  Json metrics = Json::array();
  for (const CellValues& v : m.metrics)
    metrics.push_back(Json::array({v.metric, v.unit, v.values, v.note}));
  return Json{{"metrics", metrics},
              {"maker_pages", m.maker_pages},
              {"stopped_by", m.stopped_by},
              {"broken", m.broken_claims}}
      .dump(-1, ' ', false, Json::error_handler_t::replace);
}

CellMeasurement decode(const std::string& text) {
  const Json json = Json::parse(text);
  CellMeasurement m;
  for (const Json& v : json["metrics"])
    m.metrics.push_back({v[0], v[1], v[2].get<std::vector<double>>(), v[3]});
  m.maker_pages = json["maker_pages"];
  m.stopped_by = json["stopped_by"];
  m.broken_claims = json["broken"].get<std::vector<std::string>>();
  return m;
}

// What a measuring process would leave that is killed, by an interrupt or its deadline: its working
// directories lie in one of this process's, which goes with this, and so do its control groups.
class Leftovers {
 public:
  Leftovers() : directory_(measure::scratch_parent()) {}
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;
  ~Leftovers() { domains::remove_groups_of_the_dead(std::chrono::milliseconds(2'000)); }

  // In the measuring process.
  void stay_inside() const { ::setenv("TMPDIR", directory_.path().c_str(), 1); }

 private:
  measure::ScratchDirectory directory_;
};

}  // namespace

bool repeats(Cell cell) { return cell != Cell::density && cell != Cell::security; }

CellMeasurement measure_cell(const IsolationPoint& point, const Experiment& experiment,
                             std::uint64_t seed, bool first) {
  const domains::Mechanism& m = domains::mechanism(point.mechanism);
  const auto deadline = std::chrono::duration_cast<std::chrono::milliseconds>(experiment.deadline);
  measure::first_cpu();  // notes the CPUs before a child is pinned
  const Leftovers leftovers;
  CellMeasurement out = decode(run_in_child(
      [&] {
        leftovers.stay_inside();
        measure::pin_to(measure::first_cpu());
        const auto pages = static_cast<double>(domains::private_pages());
        CellMeasurement cell = measure_here(m, point, experiment, seed, first);
        cell.maker_pages = pages;
        return encode(cell);
      },
      deadline, point.label));
  if (point.cell == Cell::creation && !isolation_settings(experiment).creators.empty()) {
    const CellMeasurement storm = decode(run_in_child(
        [&] {
          leftovers.stay_inside();
          return encode(storms(m, experiment));
        },
        deadline, point.label + " (storms)"));
    out.metrics.insert(out.metrics.end(), storm.metrics.begin(), storm.metrics.end());
  }
  return out;
}

}  // namespace missive::harness
