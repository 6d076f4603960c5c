#include "harness/structure_summary.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "harness/report/answers.h"
#include "models/statistics.h"

namespace missive::harness {

namespace {

std::string_view called(std::string_view name) {
  if (name == "network") return "to fetch";
  if (name == "copied") return "to copy";
  return name == "network_told" ? "to fetch, told" : "to copy, told";
}

// Of what depends on changed files: how near where the model was fitted, and where not.
std::string nearness(const Result& result, const StructureSettings& settings, bool fitted,
                     const std::string& name) {
  std::vector<double> errors;
  std::size_t near = 0, among = 0;
  for (std::size_t i = 0; i < settings.points.size(); ++i) {
    const Metric* const m = find_metric(result.points[i], name);
    if (settings.fitted(settings.points[i]) != fitted || m == nullptr || !m->relative_error ||
        m->note == "exact")
      continue;
    errors.push_back(std::abs(*m->relative_error));
    near += errors.back() <= settings.tolerance;
    among += m->within_tolerance == true && spread_needed(*m, settings.tolerance);
  }
  if (errors.empty()) return "";
  return fmt::format(
      "{} {}: {} numbers, error median {:.1f}%, largest {:.1f}%; within {:.0f}%: {}{}",
      fitted ? "fitted  " : "held out", called(name), errors.size(), quantile(errors, 0.5) * 100,
      quantile(errors, 1) * 100, settings.tolerance * 100, near,
      fitted ? ", not judged\n" : fmt::format(", else among the draws: {}\n", among));
}

std::string coverage(const Result& result, const StructureSettings& settings) {
  std::string out;
  for (const char* name : {"network", "copied", "network_told", "copied_told"}) {
    const Coverage c = coverage_of(result, settings, name);
    if (c.stated > 0)
      out += fmt::format("{}{} of {} numbers {} lie in theirs", out.empty() ? "" : ", ", c.held,
                         c.stated, called(name));
  }
  return out.empty() ? "" : "held out intervals of nine tenths: " + out + "\n";
}

}  // namespace

bool spread_needed(const Metric& m, double tolerance) {
  return m.relative_error && std::abs(*m.relative_error) > tolerance;
}

Coverage coverage_of(const Result& result, const StructureSettings& settings,
                     const std::string& name) {
  Coverage c;
  for (std::size_t i = 0; i < settings.points.size(); ++i) {
    const Metric* const m = find_metric(result.points[i], name);
    if (settings.fitted(settings.points[i]) || m == nullptr || !m->measured) continue;
    const auto& interval = m->simulated_interval;
    if (!interval) continue;
    ++c.stated;
    c.held += m->measured->median >= interval->first && m->measured->median <= interval->second;
  }
  return c;
}

std::string structure_summary(const Result& result, const StructureSettings& settings) {
  const Summary& s = result.summary;
  std::string out =
      "\nnumbers are counted; = equal to the prediction, % error of an expectation, "
      "~ among nine tenths of the draws, ! outside\n";
  if (s.amounts_equal)
    out += fmt::format("exact    {}\n", *s.amounts_equal ? "all equal" : "NOT equal:");
  for (std::size_t i = 0; i < std::min<std::size_t>(5, s.amount_differences.size()); ++i)
    out += "  " + s.amount_differences[i] + "\n";
  if (s.median_abs_relative_error)
    out += fmt::format(
        "expected {} numbers: error median {:.1f}%, 90th percentile {:.1f}%, largest {:.1f}% "
        "(allowed {:.0f}% for {:.0f}% of them): {}\n",
        s.compared, *s.median_abs_relative_error * 100, *s.p90_abs_relative_error * 100,
        *s.max_abs_relative_error * 100, settings.tolerance * 100, settings.share * 100,
        *s.within_tolerance ? "within tolerance" : "not within tolerance");
  for (const bool fitted : {true, false})
    for (const char* name : {"network", "copied", "network_told", "copied_told"})
      out += nearness(result, settings, fitted, name);
  if (settings.told_block_size)
    out += fmt::format(
        "told: a second prediction, told what was counted in blocks of {} placed in order, and "
        "none "
        "for these\n",
        to_string(Bytes{*settings.told_block_size}));
  out += coverage(result, settings);
  for (const std::string& line : s.not_available) out += "not here " + line + "\n";
  for (const std::string& line : s.failures) out += "failed   " + line + "\n";
  if (s.interrupted) out += "interrupted: what was counted until then\n";
  return out;
}

}  // namespace missive::harness
