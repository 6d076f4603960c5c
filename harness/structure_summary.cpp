#include "harness/structure_summary.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

#include "harness/report/answers.h"
#include "harness/structure_compare.h"
#include "models/statistics.h"

namespace missive::harness {

namespace {

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
      fitted ? "fitted  " : "held out", name == "network" ? "to fetch" : "to copy ", errors.size(),
      quantile(errors, 0.5) * 100, quantile(errors, 1) * 100, settings.tolerance * 100, near,
      fitted ? ", not judged\n" : fmt::format(", else among the draws: {}\n", among));
}

std::string coverage(const Result& result, const StructureSettings& settings) {
  const Coverage network = coverage_of(result, settings, "network");
  const Coverage copied = coverage_of(result, settings, "copied");
  if (network.stated + copied.stated == 0) return "";
  return fmt::format(
      "held out intervals of nine tenths: {} of {} numbers to fetch lie in theirs, {} of {} to "
      "copy\n",
      network.held, network.stated, copied.held, copied.stated);
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
    const auto interval = drawn_interval(*m);
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
    for (const char* name : {"network", "copied"}) out += nearness(result, settings, fitted, name);
  out += coverage(result, settings);
  for (const std::string& line : s.not_available) out += "not here " + line + "\n";
  for (const std::string& line : s.failures) out += "failed   " + line + "\n";
  if (s.interrupted) out += "interrupted: what was counted until then\n";
  return out;
}

}  // namespace missive::harness
