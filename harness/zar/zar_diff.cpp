// zar diff: what of an image somebody who has another one still needs, over the network and in
// memory.

#include <memory>

#include <fmt/format.h>

#include "harness/json_source.h"
#include "harness/table.h"
#include "harness/zar/zar_verb.h"
#include "real/zar/compare.h"

namespace missive::harness {

namespace {

struct Row {
  const char* name;
  const char* what;
  zar::Share share;
};

std::vector<Row> rows(const zar::Comparison& c) {
  return {{"undisturbed", "in both, at the same offset", c.undisturbed},
          {"moved", "in both, at another offset", c.moved},
          {"new", "only in TO", c.fresh},
          {"gone", "only in FROM", c.gone},
          {"network", "to fetch by who has FROM: new, each once", c.network},
          {"copies", "to write over FROM in a buffer: moved and new", c.copies()}};
}

ExitStatus diff(const std::string& from, const std::string& to, bool json, Terminal& terminal) {
  const zar::Recipe a = read_recipe(from), b = read_recipe(to);
  const zar::Comparison c = zar::compare(a, b);
  if (json) {
    Json j;
    for (const Row& row : rows(c))
      j[row.name] = {{"units", row.share.units}, {"bytes", row.share.bytes}};
    j["recipe"] = c.recipe;
    j["length"] = {a.shape.length, b.shape.length};
    terminal.out << j.dump(2) << '\n';
    return ExitStatus::ok;
  }
  Table table({"", "units", "bytes", "of TO"});
  for (const Row& row : rows(c))
    table.add({fmt::format("{:12} {}", row.name, row.what), std::to_string(row.share.units),
               std::to_string(row.share.bytes),
               fmt::format("{:.2f} %", 100.0 * static_cast<double>(row.share.bytes) /
                                           static_cast<double>(b.shape.length))});
  table.add({"recipe       of TO, beside it", "", std::to_string(c.recipe), ""});
  terminal.out << table.text();
  return ExitStatus::ok;
}

}  // namespace

void add_zar_diff(Verb& zar) {
  Verb& verb =
      zar.add("diff", "what of image TO somebody who has FROM still needs: to fetch, and to copy");
  auto from = std::make_shared<std::string>(), to = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  verb.option("FROM", *from, "image or recipe file", {.required = true});
  verb.option("TO", *to, "image or recipe file", {.required = true});
  verb.option("--json", *json, "as JSON");
  verb.action = [=](Terminal& terminal) { return diff(*from, *to, *json, terminal); };
}

}  // namespace missive::harness
