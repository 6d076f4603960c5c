#include "harness/report/answers.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <fmt/format.h>

#include "harness/compare_metrics.h"
#include "harness/report/judging.h"
#include "harness/result_reader.h"
#include "harness/result_table.h"
#include "models/statistics.h"

namespace missive::harness {
namespace {

double value_of(const Metric& m, bool measured) {
  if (measured) return m.measured ? m.measured->median : 0;
  return m.simulated.value_or(0);
}

// Ids of the points that have the experiment's own value for every swept key but the temperature.
std::vector<std::string> baseline_points(const Result& result) {
  std::vector<std::string> ids;
  try {
    for (const LaunchPoint& p : experiment_of(result, "result").points)
      if (p.baseline) ids.push_back(p.id);
  } catch (const InputError&) {
    // An older result, or one whose configuration this program no longer takes: any point will do.
  }
  return ids;
}

void find_longest_phases(ShownLaunch& launch) {
  launch.measured = launch.total->measured.has_value();
  const double total = value_of(*launch.total, launch.measured);
  if (!(total > 0)) return;
  for (const Phase phase : kPhases) {
    if (phase == Phase::background) continue;  // no part of the total
    const Metric* m = find_metric(*launch.point, to_string(phase));
    const double share = m == nullptr ? 0 : value_of(*m, launch.measured) / total;
    if (share > launch.longest_share) {
      launch.second_phase = std::exchange(launch.longest_phase, m->name);
      launch.second_share = std::exchange(launch.longest_share, share);
    } else if (share > launch.second_share) {
      launch.second_phase = m->name;
      launch.second_share = share;
    }
  }
}

// Where a phase, or a step of that name, lies among the records of one world.
std::optional<std::pair<double, double>> span_of(const std::vector<Record>& records,
                                                 const std::string& name) {
  std::optional<std::pair<double, double>> span;
  for (const Record& record : records) {
    if (to_string(record.phase) != name && record.step != name) continue;
    const double start = to_seconds(record.start), end = to_seconds(record.end);
    if (!span) span = {start, end};
    span->first = std::min(span->first, start);
    span->second = std::max(span->second, end);
  }
  return span;
}

bool is_phase_or_total(const std::string& name) {
  return name == kTotal || std::any_of(kPhases.begin(), kPhases.end(),
                                       [&](Phase phase) { return to_string(phase) == name; });
}

// Phases of a launch in their order; the total, and words of other kinds, behind them.
std::size_t rank(const std::string& phase) {
  for (std::size_t i = 0; i < kPhases.size(); ++i)
    if (to_string(kPhases[i]) == phase) return i;
  return kPhases.size() + (phase == kTotal ? 1 : 0);
}

}  // namespace

const Metric* find_metric(const PointResult& point, const std::string& name) {
  for (const Metric& metric : point.metrics)
    if (metric.name == name) return &metric;
  return nullptr;
}

std::string percent_text(std::optional<double> fraction, bool sign) {
  if (!fraction || !std::isfinite(*fraction)) return "-";
  const double p = *fraction * 100;
  const int decimals = std::abs(p) < 99.95 ? 1 : 0;
  return sign ? fmt::format("{:+.{}f} %", p, decimals) : fmt::format("{:.{}f} %", p, decimals);
}

std::string share_text(double share) {
  return share > 0 && share < 0.005 ? "<1 %" : fmt::format("{:.0f} %", share * 100);
}

std::string value_text(std::optional<double> value, const std::string& unit) {
  if (!value || !std::isfinite(*value)) return "-";
  if (unit == "s") return seconds_text(value);
  if (unit == "B") {
    const double size = std::abs(*value);
    if (size >= 1e9) return fmt::format("{:.3g} GB", *value / 1e9);
    if (size >= 1e6) return fmt::format("{:.3g} MB", *value / 1e6);
    if (size >= 1e4) return fmt::format("{:.3g} kB", *value / 1e3);
    return fmt::format("{:g} B", *value);
  }
  return unit == "1" ? fmt::format("{:.6g}", *value) : fmt::format("{:.6g} {}", *value, unit);
}

std::vector<ShownLaunch> shown_launches(const Result& result) {
  std::vector<ShownLaunch> shown;
  if (result.kind != "launch" && !result.kind.empty()) return shown;
  const std::vector<std::string> baseline = baseline_points(result);
  for (const char* temperature : {"cold", "warm", "hot"}) {
    ShownLaunch best;
    bool best_is_baseline = false;
    for (const PointResult& point : result.points) {
      const Metric* total = find_metric(point, kTotal);
      if (total == nullptr || !point.parameters.is_object() ||
          point.parameters.value("temperature", std::string{}) != temperature)
        continue;
      const bool own = std::find(baseline.begin(), baseline.end(), point.id) != baseline.end();
      if (best.point != nullptr && (best_is_baseline || !own)) continue;
      best = ShownLaunch{};
      best.temperature = temperature;
      best.point = &point;
      best.total = total;
      best_is_baseline = own;
    }
    if (best.point == nullptr) continue;
    find_longest_phases(best);
    shown.push_back(std::move(best));
  }
  return shown;
}

std::vector<WaterfallRow> waterfall(const ShownLaunch& launch) {
  std::vector<WaterfallRow> rows;
  double ends[2] = {0, 0}, boots[2] = {0, 0};
  const auto add = [&](const std::string& name, bool part, bool measured) {
    const Metric* m = find_metric(*launch.point, name);
    const Metric* whole = part ? find_metric(*launch.point, "boot") : launch.total;
    if (m == nullptr || whole == nullptr) return;
    const double length = value_of(*m, measured), all = value_of(*whole, measured);
    if (!(length > 0) || !(all > 0)) return;
    const auto& records =
        measured ? launch.point->measured_records : launch.point->simulated_records;
    double& end = (part ? boots : ends)[measured ? 1 : 0];
    // Without records the phases are laid end to end.
    const auto span = span_of(records, name).value_or(std::pair{end, end + length});
    if (name == "boot") boots[measured ? 1 : 0] = span.first;
    end = std::max(end, span.second);
    rows.push_back({name, measured ? "measured" : "simulated", span.first, span.second,
                    fmt::format("{} ({}{})", seconds_text(length), share_text(length / all),
                                part ? " of boot" : ""),
                    part});
  };
  const auto both = [&](const std::string& name, bool part) {
    add(name, part, false);
    add(name, part, true);
  };
  for (const Phase phase : kPhases)
    if (phase != Phase::background) both(to_string(phase), false);
  for (const std::string part : kBootParts) both(part, true);
  return rows;
}

std::vector<ScatterRow> judged_pairs(const Result& result) {
  std::vector<ScatterRow> rows;
  for (const PointResult& point : result.points)
    for (const Metric& m : point.metrics) {
      if (!is_judged_time(m) || !(*m.simulated > 0) || !(m.measured->median > 0)) continue;
      rows.push_back(
          {point.label, m.name, m.phase, m.unit, *m.simulated, m.measured->median, m.measured->low,
           m.measured->high, *m.within_tolerance,
           fmt::format("simulated {}, measured {} ({})", seconds_text(m.simulated),
                       seconds_text(m.measured->median), percent_text(m.relative_error, true))});
    }
  std::stable_sort(rows.begin(), rows.end(), [](const ScatterRow& a, const ScatterRow& b) {
    return rank(a.phase) < rank(b.phase);
  });
  return rows;
}

std::vector<ErrorRow> judged_errors(const Result& result) {
  std::vector<ErrorRow> rows;
  for (const PointResult& point : result.points)
    for (const Metric& m : point.metrics)
      if (is_judged_time(m))
        rows.push_back({point.label, m.phase, *m.relative_error, m.baseline_relative_error,
                        *m.within_tolerance});
  std::stable_sort(rows.begin(), rows.end(), [](const ErrorRow& a, const ErrorRow& b) {
    return rank(a.phase) < rank(b.phase);
  });
  return rows;
}

std::optional<double> median_noise_floor(const Result& result) {
  std::vector<double> floors;
  for (const PointResult& point : result.points)
    for (const Metric& m : point.metrics)
      if (is_judged_time(m) && m.name != kTotal && m.measured->noise_floor)
        floors.push_back(*m.measured->noise_floor);
  if (floors.empty()) return std::nullopt;
  return median(floors);
}

ObservationIndex::ObservationIndex(const Result& result) {
  for (const ObservationRow& row : result.observations)
    if (row.backend == "real" && std::isfinite(row.value))
      values_[row.point + '\n' + row.metric].push_back(row.value);
}

const std::vector<double>& ObservationIndex::of(const std::string& point,
                                                const std::string& metric) const {
  static const std::vector<double> kNone;
  const auto found = values_.find(point + '\n' + metric);
  return found == values_.end() ? kNone : found->second;
}

std::vector<std::string> telling_metrics(const Result& result, std::size_t most,
                                         const std::vector<std::string>& wanted) {
  std::vector<std::string> there;
  for (const std::string& name : wanted)
    if (there.size() < most && std::find(there.begin(), there.end(), name) == there.end() &&
        std::any_of(result.points.begin(), result.points.end(), [&](const PointResult& point) {
          const Metric* m = find_metric(point, name);
          return m != nullptr && (m->measured || m->simulated);
        }))
      there.push_back(name);
  if (!there.empty()) return there;
  const auto launches = shown_launches(result);
  std::map<std::string, double> weight;  // larger is more telling
  std::vector<std::string> names;
  for (const PointResult& point : result.points)
    for (const Metric& m : point.metrics) {
      if (!m.measured && !m.simulated) continue;
      // Of a launch its phases and the whole: parts, differences and the twin are in the tables.
      if (!launches.empty() && !is_phase_or_total(m.name)) continue;
      if (!weight.contains(m.name)) names.push_back(m.name);
      double& w = weight[m.name];
      if (!launches.empty())
        w = m.name == kTotal ? 1e9 : std::max(w, value_of(m, m.measured.has_value()));
      else
        w += m.unit == "s" ? 1.0 : 0.5;
    }
  std::stable_sort(names.begin(), names.end(), [&](const std::string& a, const std::string& b) {
    return weight[a] > weight[b];
  });
  std::erase_if(names, [&](const std::string& name) { return !(weight[name] > 0); });
  if (names.size() > most) names.resize(most);
  return names;
}

DistributionRow distribution_of(const PointResult& point, const Metric& metric,
                                const ObservationIndex& observations) {
  DistributionRow row;
  row.label = point.label.empty() ? point.id : point.label;
  const std::vector<double>& values = observations.of(point.id, metric.name);
  row.values = thinned(values, kMostValuesDrawn);
  row.n = metric.measured ? metric.measured->n : values.size();
  if (metric.measured) {
    row.median = metric.measured->median;
    row.low = metric.measured->low;
    row.high = metric.measured->high;
  }
  if (values.size() >= 4) {
    row.lower_quartile = quantile(values, 0.25);
    row.upper_quartile = quantile(values, 0.75);
  }
  row.simulated = metric.simulated;
  return row;
}

}  // namespace missive::harness
