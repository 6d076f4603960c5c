#include "harness/isolation_table.h"

#include <set>

#include <fmt/format.h>

#include "harness/isolation_blocks.h"
#include "harness/isolation_metrics.h"
#include "harness/result_table.h"
#include "harness/table.h"
#include "models/isolation.h"

namespace missive::harness {

namespace {

// The last of the metrics that begin so: density at the most domains.
const Metric* last_of(const PointResult* point, const std::string& prefix) {
  const Metric* last = nullptr;
  if (point != nullptr)
    for (const Metric& m : point->metrics)
      if (m.name.starts_with(prefix)) last = &m;
  return last;
}

// Software isolation slows everything down, a boundary only what crosses it: at how many round
// trips a second the two cost the same.
std::string break_even_block(const Result& result) {
  const auto software = slow_down(find_point(result, "wasm-guard", Cell::execution), true);
  if (!software || !(*software > 0)) return {};
  std::string rates;
  for (const char* name : {"pie", "process-futex", "kvm"})
    if (const auto s = measured(
            find_metric(find_point(result, name, Cell::switching), "switch.round_trip.hot"));
        s && *s > 0)
      rates += fmt::format("{}{} {:.2g}/s", rates.empty() ? "" : ", ", name,
                           break_even_switch_rate(*software, *s));
  if (rates.empty()) return {};
  return fmt::format(
      "break-even: {} of WebAssembly (guard pages) in computing equal the crossings of a boundary "
      "that\n            does not slow computing down at {}\n\n",
      percent(*software), rates);
}

std::string mechanisms_block(const Result& result, const Experiment& e) {
  Table table({"mechanism", "switch", "model", "creation", "model", "slow-down", "message", "model",
               "memory each", "attacks"});
  table.rule();
  for (const std::string& name : isolation_settings(e).mechanisms) {
    const auto point = [&](Cell cell) { return find_point(result, name, cell); };
    const Metric* hot = find_metric(point(Cell::switching), "switch.round_trip.hot");
    const Metric* made = find_metric(point(Cell::creation), "creation.first_call");
    const auto slower = slow_down(point(Cell::execution), true);
    const Metric* message = message_of(point(Cell::sharing));
    const Metric* memory = last_of(point(Cell::density), "density.pss_per_domain");
    const auto attacks = attacks_of(result, name);
    if (hot == nullptr && made == nullptr && !slower && message == nullptr && memory == nullptr &&
        !attacks)
      continue;  // not here; said below
    table.add({name, seconds_text(measured(hot)), error_text(hot), seconds_text(measured(made)),
               error_text(made), slower ? percent(*slower) : "-", seconds_text(measured(message)),
               error_text(message), bytes_text(measured(memory)),
               attacks ? attacks_text(*attacks) : "-"});
  }
  return "by mechanism (model: relative error of the prediction; attacks: contained of those that "
         "apply)\n" +
         table.text("  ") + '\n';
}

std::string summary_block(const Result& result, const Experiment& e) {
  const Summary& s = result.summary;
  std::string text;
  const auto line = [&](const std::string& l) { text += l + '\n'; };
  const auto p = [](std::optional<double> f) {
    return f ? fmt::format("{:.1f}%", *f * 100) : std::string("-");
  };
  if (s.median_abs_relative_error) {
    line(fmt::format("times     {} judged: error median {}, 90th percentile {}, largest {}",
                     s.compared, p(s.median_abs_relative_error), p(s.p90_abs_relative_error),
                     p(s.max_abs_relative_error)));
    line(fmt::format("          allowed median {}; nine in ten within {} or their noise floor",
                     p(isolation_settings(e).median_tolerance),
                     p(isolation_settings(e).most_tolerance)));
  }
  if (s.within_tolerance)
    line(*s.within_tolerance ? "verdict   within tolerance" : "verdict   NOT within tolerance");
  for (const std::string& what : s.not_available) line("not here  " + what);
  for (const std::string& what : s.failures) line("FAILED    " + what);
  if (s.interrupted) line("INTERRUPTED: these are partial results");
  return text;
}

}  // namespace

std::string isolation_table(const Result& result, const Experiment& experiment,
                            const PublishedCatalogue& published) {
  const IsolationSettings& s = isolation_settings(experiment);
  std::string text = fmt::format("{}: {} mechanisms, {} cells, {} processes, seed {}, {}\n\n",
                                 result.name, s.mechanisms.size(), s.cells.size(), s.processes,
                                 result.seed, to_string(experiment.backend));
  const std::set<Cell> cells(s.cells.begin(), s.cells.end());
  if (cells.size() == std::size(kCells)) {
    text += seed_block(result, experiment, published) + '\n';
    text += mechanisms_block(result, experiment);
    text += break_even_block(result);
  } else {
    for (const Cell cell : s.cells)
      if (cell != Cell::security) text += detail_block(result, cell);
  }
  if (cells.contains(Cell::security)) text += attack_block(result, experiment);
  return text + summary_block(result, experiment);
}

}  // namespace missive::harness
