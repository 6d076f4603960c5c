#include "harness/isolation_compare.h"

#include <algorithm>
#include <cmath>
#include <thread>

#include <fmt/format.h>

#include "models/isolation.h"
#include "real/domains/cells/memory.h"
#include "real/domains/requests.h"

namespace missive::harness {

namespace {

// Round trips through more domains than this leave the caches, of which there is no model.
constexpr std::uint64_t kMostCached = 16;

// Operations that are timed one by one (docs/metrics.md): below this, reading the clock and the
// caches it disturbs are too much of it to be judged. Seconds.
constexpr double kShortestAlone = 1e-6;

// The names of the measured series.
constexpr std::pair<Sharing, const char*> kWays[] = {
    {Sharing::local, "local"},   {Sharing::copy, "copy"},     {Sharing::marshalled, "marshalled"},
    {Sharing::sealed, "sealed"}, {Sharing::shared, "shared"}, {Sharing::pointer, "pointer"}};

class Predictor {
 public:
  Predictor(const IsolationPoint& point, const IsolationSettings& settings,
            const ParameterSet& parameters, const PublishedCatalogue& published,
            std::optional<double> maker_pages)
      : point_(point),
        settings_(settings),
        parameters_(parameters),
        published_(published),
        pages_(maker_pages) {}

  std::map<std::string, IsolationPrediction> all() {
    const std::string& m = point_.mechanism;
    switch (point_.cell) {
      case Cell::switching:
        crossings();
        break;
      case Cell::creation:
        creations();
        break;
      case Cell::execution:
        for (const std::string& kernel : settings_.kernels) {
          add("execution.crossing." + kernel,
              message_cost(m, static_cast<double>(settings_.request.count)));
          slow_down("execution.slowdown." + kernel);
        }
        break;
      case Cell::sharing:
        for (const Bytes size : settings_.sizes) {
          const auto bytes = static_cast<double>(size.count);
          for (const auto& [way, name] : kWays)
            add(fmt::format("sharing.message.{}.{}", name, size.count),
                sharing_cost(m, way, bytes));
        }
        break;
      case Cell::density:
        densities();
        break;
      case Cell::security:
        break;
    }
    return std::move(all_);
  }

 private:
  void crossings() {
    const auto once = crossing_cost(point_.mechanism);
    add("switch.round_trip.hot", once);
    for (const std::uint64_t n : settings_.chain)
      if (n <= kMostCached)
        add("switch.chain." + std::to_string(n),
            chain_cost(point_.mechanism, static_cast<double>(n)));
    for (const std::uint64_t n : settings_.round_robin)
      if (n <= kMostCached)
        for (const char* order : {"ordered", "random"})
          add(fmt::format("switch.round_robin.{}.{}", order, n),
              crossing_among(point_.mechanism, static_cast<double>(n)));
  }

  void creations() {
    if (!pages_) return;
    const auto made = creation_cost(point_.mechanism, *pages_);
    const auto ended = teardown_cost(point_.mechanism, *pages_);
    add("creation.first_call", made);
    add("creation.teardown", ended);
    if (made && ended)
      add("creation.sustained", Composition(made->why(), {}).add(1, *made).add(1, *ended));
    const auto cpus = static_cast<double>(std::max(std::thread::hardware_concurrency(), 1U));
    for (const std::uint64_t n : settings_.creators)
      add(fmt::format("creation.storm.{}", n),
          storm_cost(point_.mechanism, static_cast<double>(n), cpus, *pages_));
  }

  // How many: all that are asked for, or as many as the host's smallest limit allows. Memory at the
  // checkpoints of the cell (real/domains/cells/density.h).
  void densities() {
    const auto footprint = domain_footprint(point_.mechanism);
    if (!footprint) return;
    const auto asked = static_cast<double>(settings_.domains_for(point_.mechanism));
    const DensityBound bound = density_bound(*footprint, domains::host_limits());
    IsolationPrediction alive;
    alive.value = std::min(asked, bound.domains);
    alive.unit = "1";
    alive.formula = bound.domains < asked ? "the host's limit: " + bound.limit
                                          : "all that are asked for; no limit is met before";
    all_["density.alive"] = alive;
    if (footprint->pages <= 0) return;
    IsolationPrediction memory;
    memory.value = footprint->memory;
    memory.unit = "B";
    memory.formula = fmt::format("{:.4g} pages of its own", footprint->pages);
    for (double x = 1; x < alive.value; x *= 10)
      all_[fmt::format("density.pss_per_domain.{:.0f}", x)] = memory;
    all_[fmt::format("density.pss_per_domain.{:.0f}", alive.value)] = memory;
  }

  void add(const std::string& metric, const std::optional<Composition>& composition) {
    if (!composition || !composition->missing(parameters_).empty()) return;
    IsolationPrediction p;
    p.value = composition->cost(parameters_);
    p.unit = "s";
    p.parameters = composition->parameters();
    p.formula = composition->text();
    for (const std::string& name : p.parameters)
      p.provenance = std::max(p.provenance, parameters_.at(name).provenance);
    all_[metric] = std::move(p);
  }

  // Native code runs at native speed. What a sandbox costs depends on compiler and code: no
  // primitive here predicts it.
  void slow_down(const std::string& metric) {
    IsolationPrediction p;
    p.unit = "1";
    if (point_.mechanism.starts_with("wasm")) {
      const PublishedValue& v = published_.at("wasm2c", "execution overhead, T2A");
      p.value = 1 + v.value.value_or(0) / 100;
      p.provenance = Provenance::published;
      p.formula = "published: " + v.source;
    } else if (crossing_cost(point_.mechanism) && point_.mechanism != "safe-rust" &&
               point_.mechanism != "segment") {
      p.value = 1;
      p.provenance = Provenance::assumed;
      p.formula = "the same machine code, not translated";
    } else {
      return;
    }
    all_[metric] = std::move(p);
  }

  const IsolationPoint& point_;
  const IsolationSettings& settings_;
  const ParameterSet& parameters_;
  const PublishedCatalogue& published_;
  std::optional<double> pages_;
  std::map<std::string, IsolationPrediction> all_;
};

struct Gathered {
  std::string unit, note;
  Groups groups;
};

// Metrics in the order the first process gave them.
std::vector<std::pair<std::string, Gathered>> gather(
    const std::vector<CellMeasurement>& processes) {
  std::vector<std::pair<std::string, Gathered>> all;
  for (const CellMeasurement& process : processes)
    for (const CellValues& v : process.metrics) {
      auto found = std::find_if(all.begin(), all.end(),
                                [&](const auto& entry) { return entry.first == v.metric; });
      if (found == all.end()) found = all.insert(all.end(), {v.metric, {v.unit, v.note, {}}});
      if (!v.values.empty()) found->second.groups.push_back(v.values);
    }
  return all;
}

std::optional<Measured> measured_of(const Gathered& g, std::uint64_t seed) {
  if (g.groups.empty()) return std::nullopt;
  const Estimate e = median_by_group(g.groups, seed);
  Measured m{e.value, e.low, e.high, e.n, std::nullopt};
  if (e.n >= 2 && e.value > 0) m.noise_floor = noise_floor(g.groups, seed);
  return m;
}

class IsolationComparison {
 public:
  IsolationComparison(const Experiment& e, const ParameterSet& parameters,
                      const PublishedCatalogue& published, Result& result)
      : e_(e), parameters_(parameters), published_(published), result_(result) {}

  void add(const IsolationData& data) {
    PointResult& out = result_.points.at(data.point);
    out.metrics.clear();
    if (!data.unavailable.empty()) return;  // no number of any kind
    const IsolationPoint& point = isolation_settings(e_).points[data.point];
    std::map<std::string, IsolationPrediction> predicted;
    if (e_.backend != Backend::real)
      predicted = predict_cell(point, isolation_settings(e_), parameters_, published_,
                               maker_pages(data.processes));
    for (const auto& [name, gathered] : gather(data.processes)) {
      Metric m = metric(name, point.cell, gathered);
      if (const auto p = predicted.find(name); p != predicted.end()) {
        set_simulated(m, p->second);
        predicted.erase(p);
      }
      judge(m);
      observe(out.id, m, gathered.groups);
      out.metrics.push_back(std::move(m));
    }
    for (const auto& [name, prediction] : predicted) {
      // Where the machine answered, what it does not have (memory that is not shared) is no metric.
      if (!data.processes.empty()) continue;
      Metric m;
      m.name = name;
      m.phase = to_string(point.cell);
      m.unit = prediction.unit;
      set_simulated(m, prediction);
      observe(out.id, m, {});
      out.metrics.push_back(std::move(m));
    }
  }

 private:
  std::optional<double> maker_pages(const std::vector<CellMeasurement>& processes) const {
    if (processes.empty()) {
      if (!parameters_.contains(kMakerPages)) return std::nullopt;
      return parameters_.value(kMakerPages);
    }
    std::vector<double> pages;
    for (const CellMeasurement& process : processes) pages.push_back(process.maker_pages);
    return median(std::move(pages));
  }

  Metric metric(const std::string& name, Cell cell, const Gathered& gathered) {
    Metric m;
    m.name = name;
    m.phase = to_string(cell);
    m.unit = gathered.unit;
    m.note = gathered.note;
    m.measured = measured_of(gathered, e_.seed);
    return m;
  }

  void set_simulated(Metric& m, const IsolationPrediction& p) {
    m.simulated = p.value;
    m.provenance = missive::to_string(p.provenance);
    m.note = p.formula;
    for (const std::string& name : p.parameters)
      result_.parameters_used.set(name, parameters_.at(name));
  }

  void judge(Metric& m) const {
    if (!m.simulated || !m.measured || !(m.measured->median > 0)) return;
    m.relative_error = (*m.simulated - m.measured->median) / m.measured->median;
    if (m.phase == to_string(Cell::creation) && m.measured->median < kShortestAlone) return;
    if (m.unit != "s") return;  // slow-downs are shown, not judged: no primitive predicts them
    const double allowed =
        std::max(isolation_settings(e_).most_tolerance, m.measured->noise_floor.value_or(0));
    m.within_tolerance = std::abs(*m.relative_error) <= allowed;
  }

  void observe(const std::string& point, const Metric& m, const Groups& groups) {
    if (m.simulated)
      result_.observations.push_back({point, "sim", m.phase, m.name, m.unit, 0, *m.simulated});
    std::size_t repetition = 0;
    for (const auto& group : groups)
      for (const double value : group)
        result_.observations.push_back(
            {point, "real", m.phase, m.name, m.unit, repetition++, value});
  }

  const Experiment& e_;
  const ParameterSet& parameters_;
  const PublishedCatalogue& published_;
  Result& result_;
};

}  // namespace

std::map<std::string, IsolationPrediction> predict_cell(const IsolationPoint& point,
                                                        const IsolationSettings& settings,
                                                        const ParameterSet& parameters,
                                                        const PublishedCatalogue& published,
                                                        std::optional<double> maker_pages) {
  return Predictor(point, settings, parameters, published, maker_pages).all();
}

void compare_isolation(const Experiment& experiment, const std::vector<IsolationData>& data,
                       const ParameterSet& parameters, const PublishedCatalogue& published,
                       Result& result) {
  IsolationComparison comparison(experiment, parameters, published, result);
  for (const IsolationData& point : data) comparison.add(point);
  summarise_isolation(experiment, result);
}

void summarise_isolation(const Experiment& experiment, Result& result) {
  std::vector<double> errors;
  std::size_t misses = 0;
  for (const PointResult& point : result.points)
    for (const Metric& m : point.metrics) {
      if (!m.within_tolerance || !m.relative_error || m.unit != "s") continue;
      errors.push_back(std::abs(*m.relative_error));
      misses += !*m.within_tolerance;
    }
  Summary& s = result.summary;
  summarise_errors(errors, s);
  if (errors.empty()) return;
  s.within_tolerance =
      *s.median_abs_relative_error <= isolation_settings(experiment).median_tolerance &&
      misses * 10 <= errors.size();
}

}  // namespace missive::harness
