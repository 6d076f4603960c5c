// The verb `compare`: what changed from one result to another.

#include <cmath>
#include <memory>

#include <fmt/format.h>

#include "harness/compare_results.h"
#include "harness/report/answers.h"
#include "harness/result_files.h"
#include "harness/result_reader.h"
#include "harness/table.h"
#include "harness/verb_list.h"

namespace missive::harness {
namespace {

struct CompareCommand {
  std::string a, b, format = "table";
  bool all = false, fail_if_slower = false;
};

Result load(const std::string& where) {
  Result result = read_result(where);
  read_observations(where, result);
  return result;
}

bool differs(const MetricChange& m) {
  return m.change != Change::same && m.change != Change::not_comparable;
}

std::string ratio_text(const MetricChange& m) {
  if (!m.ratio) return "-";
  if (!m.measured) return fmt::format("{:.3f}", *m.ratio);
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", *m.ratio, *m.low, *m.high);
}

std::string table_text(const ResultComparison& c, bool all) {
  std::string text;
  for (const std::string& difference : c.differences) text += "differs   " + difference + '\n';
  for (const auto& [name, labels] : {std::pair{"A", &c.only_in_a}, std::pair{"B", &c.only_in_b}})
    if (!labels->empty())
      text += fmt::format("only in {} {} point{}, {} first\n", name, labels->size(),
                          labels->size() == 1 ? "" : "s", labels->front());
  Table table({"point", "metric", "world", "A", "B", "B/A [95 % CI]", "noise", "verdict"});
  table.align_left(3);
  table.rule();
  std::size_t rows = 0;
  for (const MetricChange& m : c.metrics) {
    if (!all && !differs(m) && m.metric != "total") continue;
    ++rows;
    table.add({m.label, m.metric, m.measured ? "real" : "sim", value_text(m.a, m.unit),
               value_text(m.b, m.unit), ratio_text(m), percent_text(m.noise_floor),
               to_string(m.change) + (m.why.empty() ? "" : ": " + m.why)});
  }
  if (rows > 0) text += table.text() + '\n';
  text += fmt::format(
      "B against A: {} faster, {} slower, {} smaller, {} larger, {} no difference beyond the noise "
      "floor, {} not comparable\n",
      c.count(Change::faster), c.count(Change::slower), c.count(Change::smaller),
      c.count(Change::larger), c.count(Change::same), c.count(Change::not_comparable));
  if (!all) text += "(--all shows every metric)\n";
  return text;
}

Json number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

std::string json_text(const ResultComparison& c) {
  Json metrics = Json::array();
  for (const MetricChange& m : c.metrics)
    metrics.push_back(Json{{"point", m.point},
                           {"label", m.label},
                           {"metric", m.metric},
                           {"unit", m.unit},
                           {"backend", m.measured ? "real" : "sim"},
                           {"a", number(m.a)},
                           {"b", number(m.b)},
                           {"ratio", number(m.ratio)},
                           {"ci95", Json::array({number(m.low), number(m.high)})},
                           {"noise_floor", m.noise_floor},
                           {"n", Json::array({m.n_a, m.n_b})},
                           {"verdict", to_string(m.change)},
                           {"why", m.why.empty() ? Json(nullptr) : Json(m.why)}});
  const Json json{{"schema", "missive-sim/comparison/1"},
                  {"differences", c.differences},
                  {"only_in_a", c.only_in_a},
                  {"only_in_b", c.only_in_b},
                  {"metrics", std::move(metrics)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

std::string csv_text(const ResultComparison& c) {
  std::string text =
      "point,label,metric,unit,backend,a,b,ratio,low,high,noise_floor,n_a,n_b,verdict,why\n";
  const auto maybe = [](const std::optional<double>& v) {
    return v ? round_trip(*v) : std::string{};
  };
  for (const MetricChange& m : c.metrics)
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_field(m.point),
                        csv_field(m.label), csv_field(m.metric), csv_field(m.unit),
                        m.measured ? "real" : "sim", maybe(m.a), maybe(m.b), maybe(m.ratio),
                        maybe(m.low), maybe(m.high), round_trip(m.noise_floor), m.n_a, m.n_b,
                        to_string(m.change), csv_field(m.why));
  return text;
}

ExitStatus compare_two(const CompareCommand& command, Terminal& terminal) {
  const ResultComparison c = compare_results(load(command.a), load(command.b));
  terminal.out << (command.format == "json"  ? json_text(c)
                   : command.format == "csv" ? csv_text(c)
                                             : table_text(c, command.all));
  if (command.fail_if_slower && c.count(Change::slower) > 0) return ExitStatus::claim_failed;
  if (c.count(Change::not_comparable) == c.metrics.size()) return ExitStatus::not_available;
  return ExitStatus::ok;
}

}  // namespace

void add_compare_verb(Verb& program) {
  auto command = std::make_shared<CompareCommand>();
  Verb& verb = program.add("compare", "what changed from result A to result B, metric by metric");
  verb.option("A", command->a, "folder of a run, or its result.json: what was", {.required = true});
  verb.option("B", command->b, "the same: what is now", {.required = true});
  verb.option("--all", command->all, "also what did not change");
  verb.option("--fail-if-slower", command->fail_if_slower, "exit status 3 when anything is slower");
  add_format(verb, command->format);
  verb.footer =
      "\nA metric differs when the 95 % interval of the ratio of medians leaves 1 out and the "
      "ratio "
      "is further from 1\nthan the noise floor of either run. With many metrics one in twenty "
      "intervals misses by chance.\n"
      "\nExit status: 0 compared, whatever came out; 2 no point in common, or a file is wrong;\n"
      "3 something is slower and --fail-if-slower was given; 4 nothing could be compared.\n"
      "\nExamples:\n"
      "  missive-sim compare results/before results/after\n"
      "  missive-sim compare host1/result.json host2/result.json --all --format csv\n";
  verb.action = [command](Terminal& terminal) { return compare_two(*command, terminal); };
}

}  // namespace missive::harness
