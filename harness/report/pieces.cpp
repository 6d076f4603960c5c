#include "harness/report/pieces.h"

#include <algorithm>

#include <fmt/format.h>

#include "harness/report/answers.h"
#include "harness/report/html.h"

namespace missive::harness {

std::string paragraph(const std::string& text, const std::string& css) {
  return "<p" + (css.empty() ? std::string{} : " class=\"" + css + "\"") + ">" + html_escape(text) +
         "</p>\n";
}

std::string measured_text(const std::optional<Measured>& m, const std::string& unit) {
  if (!m) return "-";
  return fmt::format("{} [{}, {}]", value_text(m->median, unit), value_text(m->low, unit),
                     value_text(m->high, unit));
}

std::string verdict_of(const Metric& m) {
  if (!m.within_tolerance) return "not judged";
  return *m.within_tolerance ? "yes" : "no";
}

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

bool has_times(const Result& result) {
  return std::any_of(result.points.begin(), result.points.end(), [](const PointResult& point) {
    return std::any_of(point.metrics.begin(), point.metrics.end(),
                       [](const Metric& m) { return m.unit == "s" && m.measured; });
  });
}

std::string busy_in_words(const Result& result) {
  const Json& context = result.context;
  if (!has_times(result)) return {};
  if (!context.is_object() || !context.contains("load") || !context.contains("cores")) return {};
  const Json& load = context["load"];
  if (!load.is_array() || load.empty() || !load[0].is_number() || !context["cores"].is_number())
    return {};
  if (load[0].get<double>() <= 0.5 * context["cores"].get<double>()) return {};
  return fmt::format(
      "Other work ran when this run began (load {:.1f} on {} cores): times are too long, and so "
      "are the errors of a model that is calibrated on a quiet host.",
      load[0].get<double>(), context["cores"].get<int>());
}

}  // namespace missive::harness
