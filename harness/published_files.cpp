#include "harness/published_files.h"

#include <filesystem>

#include <fmt/format.h>

#include "harness/json_source.h"
#include "harness/result_files.h"
#include "harness/table.h"
#include "models/error.h"
#include "real/data_dir.h"

namespace missive::harness {

namespace {

Json number(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json to_json(const PublishedValue& v) {
  return Json{{"mechanism", v.mechanism},
              {"quantity", v.quantity},
              {"value", number(v.value)},
              {"low", number(v.low)},
              {"high", number(v.high)},
              {"unit", v.unit},
              {"source", v.source},
              {"year", v.year},
              {"url", v.url},
              {"how", v.checked ? "read" : "unchecked"}};
}

std::string csv_number(const std::optional<double>& value) {
  return value ? round_trip(*value) : std::string();
}

}  // namespace

PublishedCatalogue load_published() {
  const auto file = data_dir() / "experiments" / "parameters" / "published.json";
  if (!std::filesystem::exists(file))
    throw RunError(file.string() +
                   ": not found; install the program's data or set "
                   "MISSIVE_DATA_DIR");
  return PublishedCatalogue::from_json(nlohmann::json(JsonSource::read(file).document()),
                                       file.string());
}

std::string published_text(const std::vector<const PublishedValue*>& values,
                           const std::string& format) {
  if (format == "json") {
    Json all = Json::array();
    for (const PublishedValue* v : values) all.push_back(to_json(*v));
    return all.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
  }
  if (format == "csv") {
    std::string text = "mechanism,quantity,value,low,high,unit,source,year,url,how\n";
    for (const PublishedValue* v : values)
      text += fmt::format("{},{},{},{},{},{},{},{},{},{}\n", csv_field(v->mechanism),
                          csv_field(v->quantity), csv_number(v->value), csv_number(v->low),
                          csv_number(v->high), csv_field(v->unit), csv_field(v->source), v->year,
                          csv_field(v->url), v->checked ? "read" : "unchecked");
    return text;
  }
  Table table({"mechanism", "quantity", "published", "source"});
  table.align_left(4);
  for (const PublishedValue* v : values)
    table.add({v->mechanism, v->quantity, v->text(),
               fmt::format("{}, {}{}", v->source, v->year, v->checked ? "" : " (not checked)")});
  return table.text();
}

}  // namespace missive::harness
