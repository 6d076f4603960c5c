#include "harness/isolation_table.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/isolation_measure.h"
#include "harness/result_table.h"
#include "harness/table.h"
#include "models/isolation.h"
#include "models/statistics.h"
#include "real/domains/domain.h"

namespace missive::harness {

namespace {

const char* const kRows[] = {"execution", "creation", "domains", "switch", "security", "sharing"};

// The table's word for what is no number.
std::string seed_security(const std::string& group) {
  return group == "SFI" ? "hardware attacks" : "strong";
}

const PointResult* find_point(const Result& result, const std::string& mechanism, Cell cell) {
  const std::string label = mechanism + ' ' + to_string(cell);
  for (const PointResult& point : result.points)
    if (point.label == label) return &point;
  return nullptr;
}

const Metric* find(const PointResult* point, const std::string& name) {
  if (point == nullptr) return nullptr;
  for (const Metric& m : point->metrics)
    if (m.name == name) return &m;
  return nullptr;
}

std::optional<double> measured(const Metric* m) {
  if (m == nullptr || !m->measured) return std::nullopt;
  return m->measured->median;
}
std::optional<double> simulated(const Metric* m) {
  return m == nullptr ? std::nullopt : m->simulated;
}

// Geometric mean of the slow-downs of all kernels, minus one.
std::optional<double> slow_down(const PointResult* point, bool of_measured) {
  double logs = 0;
  std::size_t n = 0;
  if (point == nullptr) return std::nullopt;
  for (const Metric& m : point->metrics) {
    if (!m.name.starts_with("execution.slowdown.")) continue;
    const auto value = of_measured ? measured(&m) : m.simulated;
    if (!value || !(*value > 0)) continue;
    logs += std::log(*value);
    ++n;
  }
  if (n == 0) return std::nullopt;
  return std::exp(logs / static_cast<double>(n)) - 1;
}

// The largest message of at most 64 KiB that was asked for.
std::string message_size(const PointResult& point) {
  constexpr std::uint64_t kAbout = 65536;
  std::uint64_t best = 0;
  if (point.parameters.contains("sizes"))
    for (const Json& size : point.parameters["sizes"]) {
      const auto bytes = size.get<std::uint64_t>();
      if (best == 0 || (bytes <= kAbout && (bytes > best || best > kAbout))) best = bytes;
    }
  return std::to_string(best);
}

// The cheapest way this mechanism has that asks nothing of the sender: by pointer, else by value.
const Metric* message_of(const PointResult* point) {
  if (point == nullptr) return nullptr;
  const Metric* pointer = find(point, "sharing.message.pointer." + message_size(*point));
  return pointer != nullptr ? pointer : find(point, "sharing.message.copy." + message_size(*point));
}

// Share of the time of a message that is not the writing and reading of it.
std::optional<double> wasted(const PointResult* point, bool of_measured) {
  const Metric* message = message_of(point);
  const Metric* local =
      point == nullptr ? nullptr : find(point, "sharing.message.local." + message_size(*point));
  const auto all = of_measured ? measured(message) : simulated(message);
  const auto work = of_measured ? measured(local) : simulated(local);
  if (!all || !work || !(*all > 0)) return std::nullopt;
  return 1 - *work / *all;
}

std::string percent(double fraction) { return fmt::format("{:+.0f} %", fraction * 100); }

std::string number_text(const std::string& row, double value) {
  if (row == "execution") return percent(value);
  if (row == "sharing") return fmt::format("{:.0f} %", value * 100);
  if (row == "domains") return fmt::format("{:.0f} live", value);
  return seconds_text(value);
}

std::string short_name(const std::string& mechanism) {
  return mechanism.starts_with("wasm-") ? mechanism.substr(5) : mechanism;
}

// "guard 3.1 ns, bounds 3.0 ns"; "-" when there is nothing.
template <typename Text>
std::string listed(const std::vector<SeedNumber>& numbers, const Text& text) {
  std::string all;
  for (const SeedNumber& n : numbers)
    if (const std::string one = text(n); !one.empty())
      all += (all.empty() ? "" : ", ") + short_name(n.mechanism) + ' ' + one;
  return all.empty() ? "-" : all;
}

std::string joined_verdicts(const std::vector<std::pair<std::string, std::string>>& verdicts) {
  if (verdicts.empty()) return "not run here";
  const bool same = std::all_of(verdicts.begin(), verdicts.end(),
                                [&](const auto& v) { return v.second == verdicts[0].second; });
  if (same) return verdicts[0].second;
  std::string text;
  for (const auto& [mechanism, verdict] : verdicts)
    text += (text.empty() ? "" : ", ") + short_name(mechanism) + ' ' + verdict;
  return text;
}

std::string row_verdict(const std::vector<SeedNumber>& numbers,
                        const std::optional<SeedClaim>& claim, const std::string& row,
                        const IsolationSettings& settings) {
  if (!claim) return "no claim";
  std::vector<std::pair<std::string, std::string>> verdicts;
  for (const SeedNumber& n : numbers) {
    if (!n.measured) continue;
    // All that were tried live: how many more would is not known.
    const double wanted = claim->value.value_or(claim->low.value_or(0));
    const bool open = row == "domains" && *n.measured < wanted &&
                      *n.measured >= static_cast<double>(settings.domains_for(n.mechanism));
    verdicts.emplace_back(n.mechanism,
                          open ? "open" : seed_verdict(*claim, *n.measured, row == "domains"));
  }
  return joined_verdicts(verdicts);
}

std::string attacks_text(const Attacks& a) { return fmt::format("{} of {}", a.contained, a.tried); }

// Words onto lines of at most `width`, broken at ", ".
std::vector<std::string> wrapped(const std::string& text, std::size_t width_wanted) {
  std::vector<std::string> lines{""};
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto comma = std::min(text.find(", ", begin), text.size());
    const std::string part = text.substr(begin, comma - begin);
    if (!lines.back().empty() && lines.back().size() + 2 + part.size() > width_wanted) {
      lines.back() += ',';
      lines.emplace_back();
    }
    lines.back() += (lines.back().empty() ? "" : ", ") + part;
    begin = comma + 2;
  }
  return lines;
}

class SeedTable {
 public:
  SeedTable(const Result& result, const Experiment& e, const PublishedCatalogue& published)
      : result_(result), e_(e), published_(published), table_(header()) {
    table_.align_left(5);
  }

  std::string text() {
    for (const std::string row : kRows) {
      table_.rule();
      if (row == "security")
        security();
      else
        numbers(row);
    }
    return table_.text("  ") + footnotes();
  }

 private:
  static std::vector<std::string> header() {
    std::vector<std::string> names{"", ""};
    for (const SeedGroup& group : seed_groups()) names.push_back(group.name);
    return names;
  }

  // One line of the block, or more where a cell is long.
  void line(const std::string& row, const std::string& what,
            const std::vector<std::string>& cells) {
    constexpr std::size_t kWidth = 29;
    std::vector<std::vector<std::string>> columns;
    std::size_t height = 1;
    for (const std::string& cell : cells) {
      columns.push_back(wrapped(cell, kWidth));
      height = std::max(height, columns.back().size());
    }
    for (std::size_t i = 0; i < height; ++i) {
      std::vector<std::string> words{i == 0 ? row : "", i == 0 ? what : ""};
      for (const auto& column : columns) words.push_back(i < column.size() ? column[i] : "");
      table_.add(std::move(words));
    }
  }

  void numbers(const std::string& row) {
    std::vector<std::string> seed, published, here, model, verdict;
    for (const SeedGroup& group : seed_groups()) {
      const auto values = seed_numbers(result_, group, row);
      seed.push_back(published_range(published_.seed(group.name, row)));
      published.push_back(published_range(published_.range(group.name, row)));
      here.push_back(listed(values, [&](const SeedNumber& n) {
        return n.measured ? number_text(row, *n.measured) : std::string();
      }));
      model.push_back(listed(values, [&](const SeedNumber& n) {
        return n.predicted ? number_text(row, *n.predicted) : std::string();
      }));
      verdict.push_back(row_verdict(values, seed_claim(published_, group.name, row), row,
                                    isolation_settings(e_)));
    }
    line(row, "seed", seed);
    line("", "published", published);
    line("", "measured", here);
    line("", "predicted", model);
    line("", "verdict", verdict);
  }

  void security() {
    std::vector<std::string> seed, here, verdict;
    for (const SeedGroup& group : seed_groups()) {
      seed.push_back(seed_security(group.name));
      std::string counts;
      bool any = false, all = true;
      for (const std::string& m : group.mechanisms)
        if (const auto a = attacks_of(result_, m)) {
          counts += (counts.empty() ? "" : ", ") + short_name(m) + ' ' + attacks_text(*a);
          any = true;
          all &= a->contained == a->tried;
        }
      here.push_back(counts.empty() ? "-" : counts);
      verdict.push_back(!any  ? "not run here"
                        : all ? "all attacks contained"
                              : "no boundary alone");
    }
    line("security", "seed", seed);
    line("", "measured", here);
    line("", "verdict", verdict);
  }

  std::string footnotes() const {
    const auto creation = [&](const char* preset) {
      return published_range({published_.preset(preset).cells.at("creation").front()});
    };
    return fmt::format(
        "\n  SFI: WebAssembly through wasm2c (guard, bounds, pooled); MicroVM: a KVM guest without "
        "a "
        "kernel;\n  multiPIE: static PIEs in this process, and safe Rust. A value holds within a "
        "factor of two, native within 5 %.\n"
        "  execution: geometric mean over the kernels. sharing: share of the time of a message "
        "passed by pointer, or\n  by value, that is neither writing nor reading it. security: "
        "attacks "
        "contained of those that apply; none is\n  on the processor.\n"
        "  The seed's SFI creation of 5 ms fits a JavaScript isolate ({}); a Wasm instance takes "
        "{}.\n  Its \"20 x\" means 100 ms by the first reading and 100 us by the second.\n",
        creation("seed-sfi-isolate"), creation("seed-sfi-instance"));
  }

  const Result& result_;
  const Experiment& e_;
  const PublishedCatalogue& published_;
  Table table_;
};

std::string error_text(const Metric* m) {
  if (m == nullptr || !m->relative_error) return "-";
  const double p = std::clamp(*m->relative_error * 100, -999.0, 999.0);
  return fmt::format("{:+.0f}%{}", p, m->within_tolerance == false ? "!" : " ");
}

std::string seconds_or_dash(const Metric* m) { return seconds_text(measured(m)); }

std::string bytes_text(std::optional<double> bytes) {
  if (!bytes) return "-";
  return missive::to_string(Bytes{static_cast<std::uint64_t>(std::max(*bytes, 0.0))});
}

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
    if (const auto s =
            measured(find(find_point(result, name, Cell::switching), "switch.round_trip.hot"));
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
    const Metric* hot = find(point(Cell::switching), "switch.round_trip.hot");
    const Metric* made = find(point(Cell::creation), "creation.first_call");
    const auto slower = slow_down(point(Cell::execution), true);
    const Metric* message = message_of(point(Cell::sharing));
    const Metric* memory = last_of(point(Cell::density), "density.pss_per_domain");
    const auto attacks = attacks_of(result, name);
    if (hot == nullptr && made == nullptr && !slower && message == nullptr && memory == nullptr &&
        !attacks)
      continue;  // not here; said below
    table.add({name, seconds_or_dash(hot), error_text(hot), seconds_or_dash(made), error_text(made),
               slower ? percent(*slower) : "-", seconds_or_dash(message), error_text(message),
               bytes_text(measured(memory)), attacks ? attacks_text(*attacks) : "-"});
  }
  return "by mechanism (model: relative error of the prediction; attacks: contained of those that "
         "apply)\n" +
         table.text("  ") + '\n';
}

std::string value_text(const Metric& m, std::optional<double> value) {
  if (!value) return "-";
  if (m.unit == "s") return seconds_text(value);
  if (m.unit == "B") return bytes_text(value);
  return fmt::format("{:.4g}", *value);
}

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

const std::vector<SeedGroup>& seed_groups() {
  static const std::vector<SeedGroup> groups{{"SFI", {"wasm-guard", "wasm-bounds", "wasm-pooled"}},
                                             {"MicroVM", {"kvm"}},
                                             {"multiPIE", {"pie", "safe-rust"}}};
  return groups;
}

std::vector<SeedNumber> seed_numbers(const Result& result, const SeedGroup& group,
                                     const std::string& row) {
  std::vector<SeedNumber> numbers;
  for (const std::string& name : group.mechanisms) {
    const auto point = [&](Cell cell) { return find_point(result, name, cell); };
    const auto of = [&](const Metric* m) { numbers.push_back({name, measured(m), simulated(m)}); };
    if (row == "switch") of(find(point(Cell::switching), "switch.round_trip.hot"));
    if (row == "creation") of(find(point(Cell::creation), "creation.first_call"));
    if (row == "domains") of(find(point(Cell::density), "density.alive"));
    if (row == "execution")
      numbers.push_back({name, slow_down(point(Cell::execution), true),
                         slow_down(point(Cell::execution), false)});
    if (row == "sharing")
      numbers.push_back(
          {name, wasted(point(Cell::sharing), true), wasted(point(Cell::sharing), false)});
  }
  return numbers;
}

std::optional<SeedClaim> seed_claim(const PublishedCatalogue& published, const std::string& group,
                                    const std::string& row) {
  const auto values = published.seed(group, row);
  if (values.empty()) return std::nullopt;
  const PublishedValue& v = *values.front();
  const auto factor = si_factor(v.unit);
  if (!factor) return std::nullopt;
  const auto si = [&](const std::optional<double>& x) -> std::optional<double> {
    if (!x) return std::nullopt;
    return *x * *factor;
  };
  SeedClaim claim{si(v.low), si(v.high), si(v.value)};
  if (v.unit == "x" && claim.value) {  // relative to what the table says of SFI
    const auto base = seed_claim(published, "SFI", row);
    if (!base || !base->value) return std::nullopt;
    claim.value = row == "domains" ? *base->value / *claim.value : *base->value * *claim.value;
  }
  // A bound was printed with its number.
  if (claim.low != claim.high && (claim.low == claim.value || claim.high == claim.value))
    claim.value.reset();
  return claim;
}

std::string seed_verdict(const SeedClaim& claim, double measured, bool more_is_better) {
  constexpr double kNative = 0.05;
  const auto beyond = [&](bool above) { return above == more_is_better ? "better" : "worse"; };
  if (claim.low || claim.high) {
    if (claim.low && measured < *claim.low) return beyond(false);
    if (claim.high && measured > *claim.high) return beyond(true);
    return "holds";
  }
  const double value = claim.value.value_or(0);
  if (value == 0) return measured <= kNative ? "holds" : "worse";
  if (measured > 2 * value) return beyond(true);
  if (measured < value / 2) return beyond(false);
  return "holds";
}

std::optional<Attacks> attacks_of(const Result& result, const std::string& mechanism) {
  const PointResult* point = find_point(result, mechanism, Cell::security);
  if (point == nullptr || point->metrics.empty()) return std::nullopt;
  Attacks a;
  for (const Metric& m : point->metrics) {
    if (!m.measured) continue;
    ++a.tried;
    a.contained += m.measured->median == kContained;
  }
  return a;
}

std::string isolation_table(const Result& result, const Experiment& experiment,
                            const PublishedCatalogue& published) {
  const IsolationSettings& s = isolation_settings(experiment);
  std::string text = fmt::format("{}: {} mechanisms, {} cells, {} processes, seed {}, {}\n\n",
                                 result.name, s.mechanisms.size(), s.cells.size(), s.processes,
                                 result.seed, to_string(experiment.backend));
  const std::set<Cell> cells(s.cells.begin(), s.cells.end());
  if (cells.size() == std::size(kCells)) {
    text += SeedTable(result, experiment, published).text() + '\n';
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
