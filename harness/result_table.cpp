#include "harness/result_table.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "harness/compare_metrics.h"
#include "harness/table.h"

namespace missive::harness {
namespace {

const Metric* find(const PointResult& point, const std::string& name) {
  for (const Metric& metric : point.metrics)
    if (metric.name == name) return &metric;
  return nullptr;
}

std::string percent(std::optional<double> fraction, bool sign) {
  if (!fraction) return "-";
  const double p = *fraction * 100;
  if (std::abs(p) >= 1000) return p > 0 ? ">1000%" : "<-1000%";
  return sign ? fmt::format("{:+.1f}%", p) : fmt::format("{:.1f}%", p);
}

// "12.3 ms [11.9, 12.8]": the interval in the unit of the median.
std::string measured_text(const std::optional<Measured>& m) {
  if (!m) return "-";
  const std::string median = seconds_text(m->median);
  if (m->median == 0 && m->low == 0 && m->high == 0) return median;
  const std::string unit = median.substr(median.rfind(' ') + 1);
  const double factor = unit == "s" ? 1 : unit == "ms" ? 1e3 : unit == "us" ? 1e6 : 1e9;
  const double largest = std::max(std::abs(m->low), std::abs(m->high)) * factor;
  const int decimals = largest < 9.995 ? 2 : largest < 99.95 ? 1 : 0;
  return fmt::format("{} [{:.{}f}, {:.{}f}]", median, m->low * factor, decimals, m->high * factor,
                     decimals);
}

// A mark where a prediction misses: found by eye and by grep, with or without colour.
std::string error_text(const Metric& m) {
  const std::string text = percent(m.relative_error, true);
  return text + (m.within_tolerance == false ? " !" : "  ");
}

// Short, because it stands at the end of a long line: "tag_lookup +12%".
std::string worst_text(const Metric& m) {
  const double p = std::clamp(*m.relative_error * 100, -999.0, 999.0);
  return fmt::format("{} {:+.0f}%{}", m.name, p, m.within_tolerance == false ? "!" : " ");
}

std::vector<std::string> metric_row(const std::string& name, const Metric& m) {
  const bool judged = m.within_tolerance.has_value();
  return {name,
          seconds_text(m.simulated),
          measured_text(m.measured),
          judged ? error_text(m) : "-",
          judged && m.measured ? percent(m.measured->noise_floor, false) : "-",
          judged ? percent(m.baseline_relative_error, true) : "-"};
}

bool nothing_happened(const Metric& m) {
  return m.simulated.value_or(0) == 0 && (!m.measured || m.measured->median == 0);
}

std::string phases_block(const PointResult& point, const LaunchPoint& launch) {
  Table table({"phase", "simulated", "measured [95 % CI]", "error", "noise floor", "bytes only"});
  table.rule();
  for (const Phase phase : kPhases) {
    if (const Metric* m = find(point, to_string(phase)); m != nullptr && !nothing_happened(*m))
      table.add(metric_row(m->name, *m));
    if (phase != Phase::boot) continue;
    for (const std::string part : kBootParts)
      if (const Metric* m = find(point, part); m != nullptr && !nothing_happened(*m))
        table.add(metric_row("  of it " + part.substr(part.find('.') + 1), *m));
  }
  table.rule();
  if (const Metric* m = find(point, kFirstInstruction))
    table.add(metric_row("until its first instruction", *m));
  if (const Metric* m = find(point, kTotal)) table.add(metric_row("total", *m));
  if (const Metric* m = find(point, kNativeTwin)) table.add(metric_row("native twin", *m));
  if (const Metric* m = find(point, kCost))
    table.add(metric_row("cost of the untrusted cache", *m));
  for (const Metric& m : point.metrics)
    if (m.unit == "s" && m.simulated && !m.measured && m.name.starts_with("total_over"))
      table.add(
          {fmt::format("total over {} rtt, {:g} Mbit/s", missive::to_string(launch.origin_rtt),
                       launch.origin_bandwidth.bytes_per_second * 8e-6),
           seconds_text(m.simulated), "simulated only", "-", "-", "-"});
  const std::string when = launch.verification == "eager" ? "" : " " + launch.verification;
  return fmt::format("{}: {}, {}, {}, {}, {}   (point {})\n{}\n",
                     missive::to_string(launch.temperature), launch.application,
                     launch.verifier + when, launch.delivery, missive::to_string(launch.hand_over),
                     missive::to_string(launch.block_size) + " blocks", point.id, table.text("  "));
}

// Per temperature the point that has the experiment's own values; else the first.
std::vector<std::size_t> shown_points(const Result& result, const Experiment& experiment) {
  std::vector<std::size_t> shown;
  for (const Temperature t : {Temperature::cold, Temperature::warm, Temperature::hot}) {
    std::optional<std::size_t> best;
    for (std::size_t i = 0; i < result.points.size(); ++i) {
      const LaunchPoint& p = experiment.points[i];
      if (p.temperature != t || result.points[i].metrics.empty()) continue;
      if (!best || (p.baseline && !experiment.points[*best].baseline)) best = i;
    }
    if (best) shown.push_back(*best);
  }
  return shown;
}

std::string points_block(const Result& result) {
  Table table(
      {"point", "values", "simulated", "measured [95 % CI]", "error", "cost", "worst phase"});
  table.align_left(2);
  table.rule();
  for (const PointResult& point : result.points) {
    const Metric* total = find(point, kTotal);
    const Metric* cost = find(point, kCost);
    if (total == nullptr) {
      table.add({point.id, point.label, "-", "-", "-", "-", "-"});
      continue;
    }
    const Metric* worst = nullptr;
    for (const Metric& m : point.metrics)
      if (m.within_tolerance && m.relative_error && m.unit == "s" && m.name != kTotal &&
          (worst == nullptr || std::abs(*m.relative_error) > std::abs(*worst->relative_error)))
        worst = &m;
    const bool measured = cost != nullptr && cost->measured.has_value();
    table.add({point.id, point.label, seconds_text(total->simulated),
               measured_text(total->measured), error_text(*total),
               measured ? seconds_text(cost->measured->median)
                        : seconds_text(cost != nullptr ? cost->simulated : std::nullopt),
               worst == nullptr ? "-" : worst_text(*worst)});
  }
  return fmt::format("whole launches (cost: of the untrusted cache)\n{}\n", table.text());
}

// An application's own start is an input of the simulation, measured once and kept. When it was
// measured on a busy host, every launch of it is off by as much, and the model is not to blame.
std::vector<std::string> outdated_natives(const Result& result, const Experiment& experiment) {
  constexpr double kFar = 0.15;
  std::vector<std::string> lines;
  std::set<std::string> said;
  for (std::size_t i = 0; i < result.points.size(); ++i) {
    const Metric* m = find(result.points[i], kNativeTwin);
    if (m == nullptr || !m->simulated || !m->measured || m->measured->median <= 0) continue;
    const double now = m->measured->median;
    const std::string& name = experiment.points[i].application;
    if (std::abs(*m->simulated - now) >
            std::max(kFar, m->measured->noise_floor.value_or(0)) * now &&
        said.insert(name).second)
      lines.push_back(
          fmt::format("{} starts alone in {}; {} when that was calibrated. On a busy host? "
                      "missive-sim calibrate",
                      name, seconds_text(now), seconds_text(m->simulated)));
  }
  return lines;
}

std::string summary_block(const Result& result, const Experiment& experiment) {
  const Summary& s = result.summary;
  std::string text;
  const auto line = [&](const std::string& l) {
    text += l;
    text += '\n';
  };
  if (s.amounts_equal)
    line(fmt::format("amounts   {}",
                     *s.amounts_equal ? "equal in both worlds: bytes, blocks, files" : "DIFFER:"));
  for (const std::string& difference : s.amount_differences) line("          " + difference);
  if (s.median_abs_relative_error) {
    line(fmt::format("phases    {} judged: error median {}, 90th percentile {}, largest {}",
                     s.compared, percent(s.median_abs_relative_error, false),
                     percent(s.p90_abs_relative_error, false),
                     percent(s.max_abs_relative_error, false)));
    line(fmt::format("          allowed median {}; a line over the bytes alone gets {}",
                     percent(experiment.tolerance.phase, false),
                     percent(s.baseline_median_abs_relative_error, false)));
  }
  if (s.total_median_abs_relative_error)
    line(fmt::format("launches  error median {} (allowed {} or the noise floor, {})",
                     percent(s.total_median_abs_relative_error, false),
                     percent(experiment.tolerance.total, false),
                     percent(s.total_noise_floor, false)));
  if (s.within_tolerance)
    line(*s.within_tolerance ? "verdict   within tolerance" : "verdict   NOT within tolerance");
  std::size_t assumed = 0;
  for (const auto& [name, parameter] : result.parameters_used.all())
    if (parameter.provenance == Provenance::assumed) ++assumed;
  if (assumed > 0)
    line(
        fmt::format("note      {} of {} parameters are assumed, not measured here "
                    "(parameters_used in result.json)",
                    assumed, result.parameters_used.all().size()));
  for (const std::string& what : outdated_natives(result, experiment)) line("note      " + what);
  for (const std::string& what : s.not_available) line("not here  " + what);
  for (const std::string& what : s.failures) line("FAILED    " + what);
  if (s.interrupted) line("INTERRUPTED: these are partial results");
  return text;
}

}  // namespace

std::string seconds_text(std::optional<double> seconds) {
  if (!seconds || !std::isfinite(*seconds)) return "-";
  if (*seconds == 0) return "0";
  const double size = std::abs(*seconds);
  const auto [factor, unit] = size >= 0.9995      ? std::pair{1.0, "s"}
                              : size >= 0.9995e-3 ? std::pair{1e3, "ms"}
                              : size >= 0.9995e-6 ? std::pair{1e6, "us"}
                                                  : std::pair{1e9, "ns"};
  const double value = *seconds * factor;
  const int decimals = std::abs(value) < 9.995 ? 2 : std::abs(value) < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, unit);
}

std::string result_table(const Result& result, const Experiment& experiment) {
  std::string text = fmt::format("{}: {} point{}, {} repetition{}, seed {}, {}\n\n", result.name,
                                 result.points.size(), result.points.size() == 1 ? "" : "s",
                                 experiment.repetitions, experiment.repetitions == 1 ? "" : "s",
                                 result.seed, to_string(experiment.backend));
  for (const std::size_t i : shown_points(result, experiment))
    text += phases_block(result.points[i], experiment.points[i]);
  if (result.points.size() > 1) text += points_block(result);
  return text + summary_block(result, experiment);
}

}  // namespace missive::harness
