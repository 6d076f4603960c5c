// The blocks of single cells: every metric, and the attack matrix.

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/isolation_blocks.h"
#include "harness/isolation_measure.h"
#include "harness/isolation_metrics.h"
#include "harness/result_table.h"
#include "harness/table.h"
#include "real/domains/domain.h"

namespace missive::harness {

namespace {

std::string value_text(const Metric& m, std::optional<double> value) {
  if (!value) return "-";
  if (m.unit == "s") return seconds_text(value);
  if (m.unit == "B") return bytes_text(value);
  return fmt::format("{:.4g}", *value);
}

}  // namespace

std::string attack_block(const Result& result, const Experiment& e) {
  Table table({"mechanism", "contained", "not contained"});
  table.align_left(3);
  table.rule();
  for (const std::string& name : isolation_settings(e).mechanisms) {
    const PointResult* point = find_point(result, name, Cell::security);
    const auto attacks = attacks_of(result, name);
    if (point == nullptr || !attacks) continue;
    std::string open;
    for (const Metric& m : point->metrics)
      if (measured(&m) == kNotContained) open += (open.empty() ? "" : ", ") + m.name;
    bool first = true;
    for (const std::string& line : wrapped(open, 70)) {
      table.add(
          {first ? name : "", first ? attacks_text(*attacks) : "", open.empty() ? "none" : line});
      first = false;
    }
  }
  return "attacks contained, of those that apply\n" + table.text("  ") + '\n';
}

namespace {

// What has no value but a reason, below the table: each reason once, with whom it concerns.
class Reasons {
 public:
  void add(const std::string& mechanism, const std::string& reason) {
    auto found = std::find_if(all_.begin(), all_.end(),
                              [&](const auto& entry) { return entry.first == reason; });
    if (found == all_.end()) found = all_.insert(all_.end(), {reason, {}});
    if (found->second.empty() || found->second.back() != mechanism)
      found->second.push_back(mechanism);
  }
  std::string text() const {
    std::string text;
    for (const auto& [reason, mechanisms] : all_)
      for (const std::string& line :
           wrapped(fmt::format("{}: {}", fmt::join(mechanisms, ", "), reason), 100))
        text += "  " + line + '\n';
    return text;
  }

 private:
  std::vector<std::pair<std::string, std::vector<std::string>>> all_;
};

// What the mechanisms say a crossing saves: two switch times mean nothing without.
std::string saved_at_a_crossing(const Result& result) {
  std::string text = "what a crossing is, and what it saves\n";
  for (const PointResult& point : result.points) {
    const std::string suffix = ' ' + to_string(Cell::switching);
    if (!point.label.ends_with(suffix) || point.metrics.empty()) continue;
    const std::string name = point.label.substr(0, point.label.size() - suffix.size());
    bool first = true;
    for (const std::string& line : wrapped(domains::mechanism(name).what, 94)) {
      text += fmt::format("  {:<16} {}\n", first ? name : "", line);
      first = false;
    }
  }
  return text + '\n';
}

}  // namespace

std::string detail_block(const Result& result, Cell cell) {
  Table table({"mechanism", "metric", "simulated", "measured", "95 % interval", "error", "floor"});
  table.align_left(2);
  table.rule();
  bool any = false;
  Reasons reasons;
  for (const PointResult& point : result.points) {
    if (!point.label.ends_with(' ' + to_string(cell))) continue;
    std::string mechanism = point.label.substr(0, point.label.rfind(' '));
    const std::string name = mechanism;
    for (const Metric& m : point.metrics) {
      if (!m.measured && !m.simulated && !m.note.empty()) {
        reasons.add(name, m.name.substr(m.name.find('.') + 1).substr(0, 7) == "one_way"
                              ? "one way " + m.note
                              : m.note);
        continue;
      }
      any = true;
      const auto interval = [&] {
        return fmt::format("[{}, {}]", value_text(m, m.measured->low),
                           value_text(m, m.measured->high));
      };
      table.add({mechanism, m.name.substr(m.name.find('.') + 1), value_text(m, m.simulated),
                 value_text(m, measured(&m)), m.measured ? interval() : "-", error_text(&m),
                 m.measured && m.measured->noise_floor
                     ? fmt::format("{:.1f}%", *m.measured->noise_floor * 100)
                     : "-"});
      mechanism.clear();
    }
  }
  if (!any) return {};
  return fmt::format("{}\n{}{}\n", to_string(cell), table.text("  "), reasons.text()) +
         (cell == Cell::switching ? saved_at_a_crossing(result) : "");
}

}  // namespace missive::harness
