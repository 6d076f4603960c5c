#include "harness/structure_summary.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "harness/report/answers.h"
#include "harness/structure_compare.h"
#include "models/statistics.h"

namespace missive::harness {

namespace {

std::string called(const std::string& name) {
  const std::string what = name.starts_with("network") ? "to fetch" : "to copy";
  const std::size_t further = name.find('_');
  return further == std::string::npos ? what : what + ", " + name.substr(further + 1);
}

// Below this a relative error says little: a page more or less is 0.4 % of it.
constexpr double kLittle = 1 << 20;

// Of what depends on changed files: how near where the model was fitted, and where not.
std::string nearness(const Result& result, const StructureSettings& settings, bool fitted,
                     const std::string& name) {
  std::vector<double> errors;
  std::size_t near = 0, among = 0, little = 0;
  for (std::size_t i = 0; i < settings.points.size(); ++i) {
    const Metric* const m = find_metric(result.points[i], name);
    if (settings.fitted(settings.points[i]) != fitted || m == nullptr || !m->relative_error ||
        m->note == "exact")
      continue;
    errors.push_back(std::abs(*m->relative_error));
    near += errors.back() <= settings.tolerance;
    among += m->within_tolerance == true && spread_needed(*m, settings.tolerance);
    little += spread_needed(*m, settings.tolerance) && m->measured->median < kLittle;
  }
  if (errors.empty()) return "";
  return fmt::format(
      "{} {}: {} numbers, error median {:.1f}%, largest {:.1f}%; within {:.0f}%: {}{}{}\n",
      fitted ? "fitted  " : "held out", called(name), errors.size(), quantile(errors, 0.5) * 100,
      quantile(errors, 1) * 100, settings.tolerance * 100, near,
      fitted ? ", not judged" : fmt::format(", else among the draws: {}", among),
      little == 0 ? "" : fmt::format(" (beyond, but of less than 1 MiB: {})", little));
}

// Of each block size: within the tolerance, and in their interval where they have one.
std::string by_block_size(const Result& result, const StructureSettings& settings,
                          const std::string& name) {
  struct Line {
    std::size_t numbers = 0, near = 0, stated = 0, held = 0;
  };
  std::map<std::uint64_t, Line> lines;
  for (std::size_t i = 0; i < settings.points.size(); ++i) {
    const Metric* const m = find_metric(result.points[i], name);
    if (settings.fitted(settings.points[i]) || m == nullptr || !m->relative_error) continue;
    Line& line = lines[settings.points[i].design.block_size];
    ++line.numbers;
    line.near += !spread_needed(*m, settings.tolerance);
    line.stated += m->simulated_interval.has_value();
    line.held += in_interval(*m);
  }
  if (lines.size() < 2) return "";
  std::string out;
  for (const auto& [size, l] : lines)
    out += fmt::format("{}{}: {} of {} ({} of {})", out.empty() ? "" : ", ", to_string(Bytes{size}),
                       l.near, l.numbers, l.held, l.stated);
  return fmt::format("by block size, {}, within {:.0f}% (in their interval): {}\n", called(name),
                     settings.tolerance * 100, out);
}

std::string coverage(const Result& result, const StructureSettings& settings) {
  std::string out;
  for (const std::string& name : update_numbers()) {
    const Coverage c = coverage_of(result, settings, name);
    if (c.stated > 0)
      out += fmt::format("{}{} of {} numbers {} lie in theirs", out.empty() ? "" : ", ", c.held,
                         c.stated, called(name));
  }
  return out.empty() ? "" : "held out intervals of nine tenths: " + out + "\n";
}

bool has_number(const Result& result, const std::string& name) {
  return std::any_of(result.points.begin(), result.points.end(),
                     [&](const PointResult& p) { return find_metric(p, name) != nullptr; });
}

}  // namespace

bool spread_needed(const Metric& m, double tolerance) {
  return m.relative_error && std::abs(*m.relative_error) > tolerance;
}

bool in_interval(const Metric& m) {
  const auto& i = m.simulated_interval;
  return i && m.measured && m.measured->median >= i->first && m.measured->median <= i->second;
}

Coverage coverage_of(const Result& result, const StructureSettings& settings,
                     const std::string& name) {
  Coverage c;
  for (std::size_t i = 0; i < settings.points.size(); ++i) {
    const Metric* const m = find_metric(result.points[i], name);
    if (settings.fitted(settings.points[i]) || m == nullptr || !m->measured) continue;
    c.stated += m->simulated_interval.has_value();
    c.held += in_interval(*m);
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
    for (const std::string& name : update_numbers())
      out += nearness(result, settings, fitted, name);
  if (settings.leave_one_out)
    for (const std::string& name : update_numbers()) out += by_block_size(result, settings, name);
  if (has_number(result, "network_seen"))
    out +=
        "seen: a second prediction, of who saw the others' updates, with what the files that they "
        "share went through there\n";
  if (has_number(result, "copied_mean"))
    out += fmt::format(
        "mean: what drawn hashes foretell is the mean over all hashes, held against that of counts "
        "with {} others\n",
        settings.hash_salts);
  if (settings.told_block_size)
    out += fmt::format(
        "told: another one, told what was counted in blocks of {} placed in order, and none for "
        "these\n",
        to_string(Bytes{*settings.told_block_size}));
  out += coverage(result, settings);
  for (const std::string& line : s.not_available) out += "not here " + line + "\n";
  for (const std::string& line : s.failures) out += "failed   " + line + "\n";
  if (s.interrupted) out += "interrupted: what was counted until then\n";
  return out;
}

}  // namespace missive::harness
