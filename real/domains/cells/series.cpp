#include "real/domains/cells/series.h"

#include <stdexcept>

#include <nlohmann/json.hpp>

#include "models/error.h"

namespace missive::domains {

using nlohmann::json;

const Series& CellResult::at(const std::string& metric, const std::string& variant,
                             std::uint64_t x) const {
  for (const Series& s : series)
    if (s.metric == metric && s.variant == variant && s.x == x) return s;
  throw std::out_of_range(mechanism + " has no series " + metric + " " + variant + " at " +
                          std::to_string(x));
}

std::string to_json(const CellResult& result) {
  json all = json::array();
  for (const Series& s : result.series)
    all.push_back({{"metric", s.metric},
                   {"variant", s.variant},
                   {"x", s.x},
                   {"unit", s.unit},
                   {"values", s.values},
                   {"note", s.note}});
  return json{{"mechanism", result.mechanism},
              {"series", std::move(all)},
              {"stopped_by", result.stopped_by}}
      .dump();
}

CellResult cell_from_json(const std::string& text) {
  try {
    const json j = json::parse(text);
    CellResult result{j.at("mechanism"), {}, j.at("stopped_by")};
    for (const json& s : j.at("series"))
      result.series.push_back({s.at("metric"), s.at("variant"), s.at("x"), s.at("unit"),
                               s.at("values").get<std::vector<double>>(), s.at("note")});
    return result;
  } catch (const json::exception& e) {
    throw InputError(std::string("a measured cell's result cannot be read: ") + e.what());
  }
}

}  // namespace missive::domains
