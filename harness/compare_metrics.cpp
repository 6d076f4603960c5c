#include "harness/compare_metrics.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "models/statistics.h"

namespace missive::harness {
namespace {

// Phases in launch order, then what follows them.
std::vector<std::string> metric_order() {
  std::vector<std::string> names;
  for (const Phase phase : kPhases) names.push_back(to_string(phase));
  for (const char* part : kBootParts) names.emplace_back(part);
  names.emplace_back(kFirstInstruction);
  names.emplace_back(kTotal);
  names.emplace_back(kNativeTwin);
  return names;
}

bool is_phase(const std::string& name) {
  return std::any_of(kPhases.begin(), kPhases.end(),
                     [&](Phase phase) { return to_string(phase) == name; });
}

// The metric that a step's time is part of: a simulated start comes in parts.
std::string boot_part(const std::string& step) {
  return step.starts_with("boot.application.") ? "boot.application" : step;
}

bool is_boot_part(const std::string& name) {
  return std::find(std::begin(kBootParts), std::end(kBootParts), name) != std::end(kBootParts);
}

std::string unit_of(Amount amount) { return to_string(amount).starts_with("bytes") ? "B" : "1"; }

std::vector<Amount> all_amounts() {
  std::vector<Amount> amounts;
  for (std::size_t i = 0; i < kAmounts; ++i) amounts.push_back(static_cast<Amount>(i));
  return amounts;
}

// Values of a metric by process. A phase that a launch did not have took no time in it.
Groups groups_of(const std::vector<Launch>& launches, const std::string& name) {
  const bool known = std::any_of(launches.begin(), launches.end(),
                                 [&](const Launch& launch) { return launch.times.contains(name); });
  std::map<int, std::vector<double>> by_process;
  if (known)
    for (const Launch& launch : launches) {
      const auto time = launch.times.find(name);
      by_process[launch.process].push_back(time == launch.times.end() ? 0 : time->second);
    }
  Groups groups;
  for (auto& [process, values] : by_process) groups.push_back(std::move(values));
  return groups;
}

std::optional<Measured> measure(const Groups& groups, std::uint64_t seed) {
  if (groups.empty()) return std::nullopt;
  const Estimate estimate = median_by_group(groups, seed);
  Measured m{estimate.value, estimate.low, estimate.high, estimate.n, std::nullopt};
  if (estimate.n >= 2 && estimate.value > 0) m.noise_floor = noise_floor(groups, seed);
  return m;
}

// Bytes a point moves, whichever way: what a predictor without any model would go by.
std::optional<double> bytes_moved(const PointResult& point) {
  std::optional<double> sum;
  for (const Metric& metric : point.metrics) {
    if (metric.unit != "B" || !(metric.simulated || metric.measured)) continue;
    sum = sum.value_or(0) + (metric.simulated ? *metric.simulated : metric.measured->median);
  }
  return sum;
}

std::string weakest_provenance(const std::set<std::string>& names, const ParameterSet& parameters) {
  bool published = false, assumed = false, any = false;
  for (const std::string& name : names) {
    if (!parameters.contains(name)) continue;
    any = true;
    const Provenance provenance = parameters.at(name).provenance;
    published |= provenance == Provenance::published;
    assumed |= provenance == Provenance::assumed;
  }
  if (!any) return {};
  return to_string(assumed     ? Provenance::assumed
                   : published ? Provenance::published
                               : Provenance::measured);
}

void judge(Metric& metric, const Tolerance& tolerance) {
  if (!metric.simulated || !metric.measured) return;
  const double measured = metric.measured->median;
  if (measured > 0) metric.relative_error = (*metric.simulated - measured) / measured;
  const bool phase = is_phase(metric.name);
  if (!phase && metric.name != kTotal) return;
  if (phase && measured <= to_seconds(tolerance.shortest_phase)) {
    // The two may disagree about what is short: a long prediction for it is a miss all the same.
    const double limit = to_seconds(tolerance.shortest_phase) * (1 + tolerance.phase);
    if (*metric.simulated > limit) {
      metric.within_tolerance = false;
      metric.note = "measured as too short to be judged, predicted as long";
    } else {
      metric.note = fmt::format("not judged: not longer than {}",
                                missive::to_string(tolerance.shortest_phase));
    }
    return;
  }
  if (!metric.relative_error) return;
  const double allowed =
      std::max(phase ? tolerance.phase : tolerance.total, metric.measured->noise_floor.value_or(0));
  metric.within_tolerance = std::abs(*metric.relative_error) <= allowed;
}

// Difference of two medians, its interval from both samples (launches and native starts are drawn
// independently; an interval of the difference by adding variances of the two half widths).
std::optional<Measured> difference(const std::optional<Measured>& a,
                                   const std::optional<Measured>& b) {
  if (!a || !b) return std::nullopt;
  const double down = std::hypot(a->median - a->low, b->high - b->median);
  const double up = std::hypot(a->high - a->median, b->median - b->low);
  const double value = a->median - b->median;
  return Measured{value, value - down, value + up, std::min(a->n, b->n), std::nullopt};
}

class Comparison {
 public:
  Comparison(const Experiment& experiment, const ParameterSet& parameters, Result& result)
      : experiment_(experiment), parameters_(parameters), result_(result) {}

  void add(const PointData& data) {
    PointResult& point = result_.points.at(data.point);
    point.metrics.clear();
    const std::string provenance = weakest_provenance(data.parameters, parameters_);
    for (const std::string& name : metric_order()) add_time(point, data, name, provenance);
    add_cost(point, provenance);
    for (const auto& [name, value] : data.simulated_only)
      point.metrics.push_back({name,
                               kTotal,
                               "s",
                               value,
                               {},
                               {},
                               {},
                               provenance,
                               {},
                               "simulated only: the real run has no emulated network"});
    add_amounts(point, data);
    point.simulated_records = data.simulated_records;
    if (!data.launches.empty() && data.launch_records.size() == data.launches.size())
      point.measured_records = data.launch_records[median_launch(data.launches)];
    for (const std::string& name : data.parameters)
      if (parameters_.contains(name)) result_.parameters_used.set(name, parameters_.at(name));
  }

  void add_baseline() {
    for (const std::string& name : metric_order()) {
      if (name == kNativeTwin) continue;
      std::vector<double> bytes, medians;
      std::vector<Metric*> metrics;
      for (PointResult& point : result_.points) {
        Metric* metric = find(point, name);
        if (metric == nullptr) continue;
        metric->baseline_relative_error.reset();
        const auto amount = bytes_moved(point);
        if (!metric->measured || !amount) continue;
        bytes.push_back(*amount);
        medians.push_back(metric->measured->median);
        metrics.push_back(metric);
      }
      if (metrics.size() < 2) continue;
      const std::vector<double> predicted = leave_one_out(bytes, medians);
      for (std::size_t i = 0; i < metrics.size(); ++i)
        if (medians[i] > 0)
          metrics[i]->baseline_relative_error = (predicted[i] - medians[i]) / medians[i];
    }
  }

  void summarise() {
    Summary& s = result_.summary;
    add_amounts_summary(s);
    std::vector<double> errors, baseline, totals, floors;
    bool misses_short = false;
    for (const PointResult& point : result_.points)
      for (const Metric& m : point.metrics) {
        if (!m.within_tolerance || !(is_phase(m.name) || m.name == kTotal)) continue;
        if (m.name == kTotal) {
          totals.push_back(std::abs(*m.relative_error));
          floors.push_back(m.measured->noise_floor.value_or(0));
        } else if (m.note.empty()) {
          errors.push_back(std::abs(*m.relative_error));
          if (m.baseline_relative_error) baseline.push_back(std::abs(*m.baseline_relative_error));
        } else {
          misses_short = true;
        }
      }
    summarise_errors(errors, s);
    if (!baseline.empty()) s.baseline_median_abs_relative_error = median(baseline);
    if (!totals.empty()) {
      s.total_median_abs_relative_error = median(totals);
      s.total_noise_floor = median(floors);
    }
    judge_all(s, misses_short);
  }

 private:
  void judge_all(Summary& s, bool misses_short) const {
    if (!s.median_abs_relative_error && !s.total_median_abs_relative_error) return;
    const Tolerance& allowed = experiment_.tolerance;
    bool holds = !misses_short;
    if (s.median_abs_relative_error) holds &= *s.median_abs_relative_error <= allowed.phase;
    if (s.total_median_abs_relative_error)
      holds &= *s.total_median_abs_relative_error <=
               std::max(allowed.total, s.total_noise_floor.value_or(0));
    s.within_tolerance = holds;
  }

  static Metric* find(PointResult& point, const std::string& name) {
    for (Metric& metric : point.metrics)
      if (metric.name == name) return &metric;
    return nullptr;
  }

  void add_time(PointResult& point, const PointData& data, const std::string& name,
                const std::string& provenance) {
    const bool native = name == kNativeTwin;
    Metric metric;
    metric.name = name;
    metric.phase = is_phase(name) ? name : is_boot_part(name) ? to_string(Phase::boot) : kTotal;
    metric.unit = "s";
    if (const auto s = data.simulated.find(name); s != data.simulated.end())
      metric.simulated = s->second;
    const auto& launches = native ? data.native : data.launches;
    metric.measured = measure(groups_of(launches, name), experiment_.seed);
    // A phase that a world which answered does not have took no time there.
    if (is_phase(name)) {
      if (!metric.simulated && !data.simulated.empty()) metric.simulated = 0;
      if (!metric.measured && !data.launches.empty())
        metric.measured = Measured{0, 0, 0, data.launches.size(), std::nullopt};
    }
    if (!metric.simulated && !metric.measured) return;
    if (metric.simulated) metric.provenance = provenance;
    if (native && metric.simulated)
      metric.note = "the application's own time is an input of the simulation, not predicted";
    judge(metric, experiment_.tolerance);
    if (metric.simulated) observe(point.id, "sim", metric, 0, *metric.simulated);
    for (std::size_t i = 0; metric.measured && i < launches.size(); ++i)
      if (const auto time = launches[i].times.find(name); time != launches[i].times.end())
        observe(point.id, "real", metric, i, time->second);
    point.metrics.push_back(std::move(metric));
  }

  void add_cost(PointResult& point, const std::string& provenance) {
    const Metric* total = find(point, kTotal);
    const Metric* native = find(point, kNativeTwin);
    if (total == nullptr || native == nullptr) return;
    Metric cost{kCost, kTotal, "s", {}, {}, {}, {}, {}, {}, "total minus native twin"};
    if (total->simulated && native->simulated) {
      cost.simulated = *total->simulated - *native->simulated;
      cost.provenance = provenance;
    }
    cost.measured = difference(total->measured, native->measured);
    if (!cost.simulated && !cost.measured) return;
    judge(cost, experiment_.tolerance);
    point.metrics.push_back(std::move(cost));
  }

  void add_amounts(PointResult& point, const PointData& data) {
    for (const Amount amount : all_amounts()) {
      Metric metric{to_string(amount), kTotal, unit_of(amount), {}, {}, {}, {}, {}, {}, {}};
      if (data.simulated_amounts) {
        metric.simulated = static_cast<double>((*data.simulated_amounts)[amount]);
        metric.provenance = "exact";
        observe(point.id, "sim", metric, 0, *metric.simulated);
      }
      std::vector<double> seen;
      for (std::size_t i = 0; i < data.launches.size(); ++i)
        if (data.launches[i].amounts) {
          seen.push_back(static_cast<double>((*data.launches[i].amounts)[amount]));
          observe(point.id, "real", metric, i, seen.back());
        }
      if (!seen.empty()) {
        const auto [low, high] = std::minmax_element(seen.begin(), seen.end());
        metric.measured = Measured{median(seen), *low, *high, seen.size(), 0.0};
      }
      if (!metric.simulated && !metric.measured) continue;
      if (metric.simulated && metric.measured) compare_amount(metric);
      point.metrics.push_back(std::move(metric));
    }
  }

  // Every launch must have seen exactly what the plan says.
  static void compare_amount(Metric& metric) {
    const Measured& m = *metric.measured;
    if (m.median > 0) metric.relative_error = (*metric.simulated - m.median) / m.median;
    if (m.median == 0 && *metric.simulated == 0) metric.relative_error = 0;
    metric.within_tolerance = m.low == *metric.simulated && m.high == *metric.simulated;
    if (!*metric.within_tolerance)
      metric.note = "differs: a defect in the plan or in the real path";
  }

  void add_amounts_summary(Summary& s) const {
    for (const PointResult& point : result_.points)
      for (const Metric& metric : point.metrics) {
        if (metric.provenance != "exact" || !metric.measured || !metric.within_tolerance) continue;
        const bool equal = *metric.within_tolerance;
        s.amounts_equal = s.amounts_equal.value_or(true) && equal;
        if (!equal)
          s.amount_differences.push_back(fmt::format(
              "{} ({}): {}: simulated {:.0f}, measured {:.0f} to {:.0f}", point.id, point.label,
              metric.name, *metric.simulated, metric.measured->low, metric.measured->high));
      }
  }

  void observe(const std::string& point, const char* backend, const Metric& metric,
               std::size_t repetition, double value) {
    result_.observations.push_back(
        {point, backend, metric.phase, metric.name, metric.unit, repetition, value});
  }

  const Experiment& experiment_;
  const ParameterSet& parameters_;
  Result& result_;
};

}  // namespace

std::map<std::string, double> times_of(const std::vector<Record>& records) {
  std::map<std::string, double> times;
  for (const Record& record : records) times.try_emplace(to_string(record.phase), 0);
  for (const Phase phase : kPhases)
    if (const auto time = times.find(to_string(phase)); time != times.end())
      time->second = to_seconds(phase_time(records, phase));
  for (const Record& record : records)
    if (const std::string part = boot_part(record.step); is_boot_part(part))
      times[part] += to_seconds(record.end - record.start);
  for (const Record& record : records)
    if (record.step == "boot.start")
      times[kFirstInstruction] = to_seconds(record.end - records.front().start);
  if (!records.empty()) times[kTotal] = to_seconds(total_time(records));
  return times;
}

std::size_t median_launch(const std::vector<Launch>& launches) {
  std::vector<double> totals;
  for (const Launch& launch : launches) {
    const auto total = launch.times.find(kTotal);
    totals.push_back(total == launch.times.end() ? 0 : total->second);
  }
  const double middle = median(totals);
  std::size_t best = 0;
  for (std::size_t i = 1; i < totals.size(); ++i)
    if (std::abs(totals[i] - middle) < std::abs(totals[best] - middle)) best = i;
  return best;
}

void compare(const Experiment& experiment, const std::vector<PointData>& data,
             const ParameterSet& parameters, Result& result) {
  Comparison comparison(experiment, parameters, result);
  for (const PointData& point : data) comparison.add(point);
  summarise_launches(experiment, result);
}

void summarise_launches(const Experiment& experiment, Result& result) {
  const ParameterSet none;
  Comparison comparison(experiment, none, result);
  comparison.add_baseline();
  comparison.summarise();
}

}  // namespace missive::harness
