// The seed's table and its claims.

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "harness/isolation_blocks.h"
#include "harness/isolation_metrics.h"
#include "harness/result_table.h"
#include "harness/table.h"

namespace missive::harness {

namespace {

const char* const kRows[] = {"execution", "creation", "domains", "switch", "security", "sharing"};

// The table's word for what is no number.
std::string seed_security(const std::string& group) {
  return group == "SFI" ? "hardware attacks" : "strong";
}

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

using Verdicts = std::vector<std::pair<std::string, std::string>>;  // mechanism, verdict

Verdicts verdicts_of(const std::vector<SeedNumber>& numbers, const SeedClaim& claim,
                     const std::string& row, const IsolationSettings& settings) {
  Verdicts verdicts;
  for (const SeedNumber& n : numbers) {
    if (!n.measured) continue;
    // All that were tried live: how many more would is not known.
    const double wanted = claim.value.value_or(claim.low.value_or(0));
    const bool open = row == "domains" && *n.measured < wanted &&
                      *n.measured >= static_cast<double>(settings.domains_for(n.mechanism));
    verdicts.emplace_back(n.mechanism,
                          open ? "open" : seed_verdict(claim, *n.measured, row == "domains"));
  }
  return verdicts;
}

std::string row_verdict(const std::vector<SeedNumber>& numbers,
                        const std::optional<SeedClaim>& claim, const std::string& row,
                        const IsolationSettings& settings) {
  return claim ? joined_verdicts(verdicts_of(numbers, *claim, row, settings)) : "no claim";
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
        "a kernel, and one\n  with Debian's (timed only where KVM boots it); multiPIE: static PIEs "
        "in this process, and safe Rust.\n  A value holds within a factor of two, native within 5 "
        "%.\n"
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

}  // namespace

std::string seed_block(const Result& result, const Experiment& experiment,
                       const PublishedCatalogue& published) {
  return SeedTable(result, experiment, published).text();
}

Answer isolation_answer(const Result& result, const Experiment& experiment,
                        const PublishedCatalogue& published) {
  Answer a;
  a.metrics = {"switch.round_trip.hot",     "creation.first_call",     "sharing.message.copy.4096",
               "density.pss_per_domain.30", "execution.slowdown.hash", "creation.teardown"};
  a.words = {
      {"seed", "the table that this experiment starts from (multiPIE, 2022), with its figures"},
      {"switch.round_trip.hot", "a null call into another domain and back, and nothing else"},
      {"creation.first_call", "from the request for a domain to its first answer"},
      {"creation.teardown", "until nothing of the domain is left"},
      {"sharing.message.copy.4096",
       "writing, passing and reading a message of 4096 bytes by value; pointer: by reference"},
      {"density.pss_per_domain.30",
       "memory of a domain, its part of what is shared, with 30 of them alive"},
      {"execution.slowdown.hash", "time of a kernel in the domain over that of a plain call"},
      {"better, holds, worse, open",
       "measured against the seed's figure: within a factor of two holds, native within 5 %; open: "
       "all domains that were tried live, and more were claimed"}};
  std::map<std::string, std::size_t> count;
  for (const std::string row : kRows)
    for (const SeedGroup& group : seed_groups()) {
      const auto claim = seed_claim(published, group.name, row);
      if (row == "security" || !claim) continue;
      for (const auto& [mechanism, verdict] : verdicts_of(seed_numbers(result, group, row), *claim,
                                                          row, isolation_settings(experiment)))
        ++count[verdict];
    }
  if (isolation_settings(experiment).cells.size() != std::size(kCells) || count.empty()) return a;
  std::size_t all = 0;
  for (const auto& [verdict, n] : count) all += n;
  a.question = "Do the seed's figures hold here?";
  a.answer = fmt::format("{} of {} hold or are better", count["holds"] + count["better"], all);
  a.detail = fmt::format(
      "measured here for SFI, MicroVM and multiPIE: {} hold, {} are better, {} worse, {} open "
      "(more "
      "was claimed than this run tried)",
      count["holds"], count["better"], count["worse"], count["open"]);
  for (const std::string row : {"switch", "creation"}) {
    std::string text;
    for (const SeedGroup& group : seed_groups())
      for (const SeedNumber& n : seed_numbers(result, group, row))
        if (n.measured)
          text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n.mechanism,
                              number_text(row, *n.measured));
    if (!text.empty())
      a.sentences.push_back(fmt::format("{}: {}.",
                                        row == "switch"
                                            ? "A call and back takes"
                                            : "From the request for a domain to its first answer",
                                        text));
  }
  return a;
}

const std::vector<SeedGroup>& seed_groups() {
  static const std::vector<SeedGroup> groups{{"SFI", {"wasm-guard", "wasm-bounds", "wasm-pooled"}},
                                             {"MicroVM", {"kvm", "qemu-microvm"}},
                                             {"multiPIE", {"pie", "safe-rust"}}};
  return groups;
}

std::vector<SeedNumber> seed_numbers(const Result& result, const SeedGroup& group,
                                     const std::string& row) {
  std::vector<SeedNumber> numbers;
  for (const std::string& name : group.mechanisms) {
    const auto point = [&](Cell cell) { return find_point(result, name, cell); };
    const auto of = [&](const Metric* m) { numbers.push_back({name, measured(m), simulated(m)}); };
    if (row == "switch") of(find_metric(point(Cell::switching), "switch.round_trip.hot"));
    if (row == "creation") of(find_metric(point(Cell::creation), "creation.first_call"));
    if (row == "domains") of(find_metric(point(Cell::density), "density.alive"));
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

}  // namespace missive::harness
