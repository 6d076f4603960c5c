// Where the time of a launch goes: the waterfall of each temperature, and its phases in a table.

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "harness/compare_metrics.h"
#include "harness/report/glossary.h"
#include "harness/report/html.h"
#include "harness/report/pieces.h"
#include "harness/report/sections.h"

namespace missive::harness {
namespace {

// One that a launch waits for.
bool is_phase(const std::string& name) {
  return std::any_of(kPhases.begin(), kPhases.end(), [&](Phase phase) {
    return phase != Phase::background && to_string(phase) == name;
  });
}

bool is_part(const std::string& name) {
  return std::find(std::begin(kBootParts), std::end(kBootParts), name) != std::end(kBootParts);
}

// The shares of one world: of the total for phases, of boot for its parts. Those of the phases and
// of the row below them add up to 100 % as they are printed.
class Shares {
 public:
  Shares(const PointResult& point, bool measured) : measured_(measured) {
    if (const Metric* m = find_metric(point, kTotal)) total_ = value(*m);
    if (const Metric* m = find_metric(point, "boot")) boot_ = value(*m);
    for (const Metric& m : point.metrics)
      if (is_phase(m.name)) phases_ += value(m).value_or(0), printed_ += tenths(m);
  }
  std::string of(const Metric& m) const {
    if (!value(m) || !total_ || !(*total_ > 0)) return "-";
    if (m.name == kTotal) return "100.0 %";
    if (is_phase(m.name)) return percent_text(tenths(m) / 1000);
    return is_part(m.name) && boot_ && *boot_ > 0 ? percent_text(*value(m) / *boot_) + " of boot"
                                                  : "-";
  }
  bool known() const { return total_ && *total_ > 0; }
  std::string rest() const { return known() ? percent_text((1000 - printed_) / 1000) : "-"; }
  std::optional<double> rest_seconds() const {
    if (!known()) return std::nullopt;
    return *total_ - phases_;
  }

 private:
  std::optional<double> value(const Metric& m) const {
    if (!measured_) return m.simulated;
    if (!m.measured) return std::nullopt;
    return m.measured->median;
  }
  double tenths(const Metric& m) const {
    return total_ && *total_ > 0 ? std::round(value(m).value_or(0) / *total_ * 1000) : 0;
  }

  bool measured_;
  std::optional<double> total_, boot_;
  double phases_ = 0, printed_ = 0;
};

void add_rest(const Shares& simulated, const Shares& measured, HtmlTable& table) {
  table.add({"between them",
             "the rest of the total: medians need not add up to it, nor shares as they are rounded",
             value_text(simulated.rest_seconds(), "s"), simulated.rest(),
             value_text(measured.rest_seconds(), "s"), measured.rest(), "-", "-", "not judged"},
            "weak");
}

std::string phase_table(const ShownLaunch& launch) {
  HtmlTable table(capitalised(launch.temperature) + " launch, phase by phase",
                  {"phase", "what happens", "simulated", "share", "measured [95 % interval]",
                   "share", "error", "noise floor", "within tolerance"},
                  2);
  const Shares simulated(*launch.point, false), measured(*launch.point, true);
  for (const Metric& m : launch.point->metrics) {
    const bool empty = m.simulated.value_or(0) == 0 && (!m.measured || m.measured->median == 0);
    if (m.unit != "s" || empty || m.name.ends_with("_over_link")) continue;
    if (m.name == kTotal) add_rest(simulated, measured, table);
    table.add(
        {is_part(m.name) ? "of it: " + m.name.substr(m.name.find('.') + 1) : m.name,
         phase_in_words(m.name), value_text(m.simulated, m.unit), simulated.of(m),
         measured_text(m.measured, m.unit), measured.of(m), percent_text(m.relative_error, true),
         m.measured ? percent_text(m.measured->noise_floor) : "-", verdict_of(m)},
        m.within_tolerance == false ? "miss"
        : m.name == kTotal          ? "sum"
        : is_part(m.name)           ? "part"
                                    : "");
  }
  return table.html();
}

}  // namespace

std::string ReportWriter::waterfalls() const {
  if (launches_.empty()) return {};
  double longest = 0;
  std::vector<std::vector<WaterfallRow>> all;
  for (const ShownLaunch& launch : launches_) {
    all.push_back(waterfall(launch));
    for (const WaterfallRow& row : all.back()) longest = std::max(longest, row.end);
  }
  std::string html =
      "<p>When each phase runs, <span class=\"key simulated\">simulated</span> above "
      "<span class=\"key measured\">measured</span>; all on one scale. The longest bar is what a "
      "launch waits for. Pale bars are parts of <code>boot</code>, which holds them already. What "
      "a "
      "phase does stands in the tables and under <a href=\"#words\">Words on this page</a>.</p>\n"
      "<div class=\"grid wide\">\n";
  for (std::size_t i = 0; i < launches_.size(); ++i) {
    const ShownLaunch& l = launches_[i];
    html += figure("waterfall-" + l.temperature,
                   fmt::format("{} launch: {} takes {}", capitalised(l.temperature),
                               l.longest_phase, share_text(l.longest_share)),
                   l.point->label + " (point " + l.point->id +
                       "). Measured: the launch whose total is the median; times beside the bars "
                       "are medians over all launches, with their share of the median total.",
                   waterfall_plot(all[i], longest), phase_table(l));
  }
  return html + "</div>\n";
}

}  // namespace missive::harness
