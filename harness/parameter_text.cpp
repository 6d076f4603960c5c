#include "harness/parameter_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/result_files.h"
#include "harness/table.h"

namespace missive::harness {
namespace {

std::string significant(double value) { return fmt::format("{:.4g}", value); }

}  // namespace

std::string parameter_text(const ParameterSet& set, const std::string& format) {
  if (format == "json") {
    return set.to_json().dump(2) + '\n';
  }
  if (format == "csv") {
    std::string text = "name,value,unit,low,high,provenance,date\n";
    for (const auto& [name, p] : set.all())
      text += fmt::format("{},{},{},{},{},{},{}\n", name, round_trip(p.value), p.unit,
                          round_trip(p.low), round_trip(p.high), missive::to_string(p.provenance),
                          p.date);
    return text;
  }
  Table table({"parameter", "value", "95 % interval", "unit", "provenance"});
  for (const auto& [name, p] : set.all())
    table.add({name, significant(p.value),
               p.low == p.high ? std::string("-")
                               : fmt::format("[{}, {}]", significant(p.low), significant(p.high)),
               p.unit, missive::to_string(p.provenance)});
  return table.text();
}

}  // namespace missive::harness
