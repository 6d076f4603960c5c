#include "harness/structure_cells.h"

#include <fmt/format.h>

#include "harness/structure_summary.h"

namespace missive::harness {

namespace {

// How a judged prediction ends.
std::string mark(const Metric& m, double tolerance) {
  if (m.within_tolerance == false) return "!";
  return m.within_tolerance && spread_needed(m, tolerance) ? "~" : "";
}

}  // namespace

std::optional<double> best_of(const Metric* m) {
  if (m == nullptr) return std::nullopt;
  return m->measured ? std::optional(m->measured->median) : m->simulated;
}

std::string amount(double value, const std::string& unit) {
  if (unit == "1") return fmt::format("{:.0f}", value);
  if (value < 10 * 1024) return fmt::format("{:.0f} B", value);
  if (value < 1024 * 1024) return fmt::format("{:.1f} KiB", value / 1024);
  return fmt::format("{:.2f} MiB", value / (1024 * 1024));
}

std::string structure_cell(const Metric* m, double tolerance) {
  const auto value = best_of(m);
  if (!value) return "-";
  std::string text = amount(*value, m->unit);
  if (!m->measured) return text + " (model)";
  if (!m->simulated) return text;
  if (m->note == "exact") return text + (*m->within_tolerance ? " =" : " !=");
  if (m->relative_error) text += fmt::format(" {:+.1f}%", *m->relative_error * 100);
  return text + mark(*m, tolerance);
}

std::string prediction_cell(const Metric* m, double tolerance) {
  if (m == nullptr || !m->simulated) return "-";
  if (!m->measured || !m->relative_error) return amount(*m->simulated, m->unit);
  if (m->note == "exact") return *m->within_tolerance ? "=" : "!=";
  std::string text = fmt::format("{:+.1f}%{}", *m->relative_error * 100, mark(*m, tolerance));
  const double counted = m->measured->median;
  if (m->simulated_interval && counted > 0)
    text += fmt::format(" [{:+.0f} {:+.0f}]", 100 * (m->simulated_interval->first / counted - 1),
                        100 * (m->simulated_interval->second / counted - 1));
  return text;
}

}  // namespace missive::harness
