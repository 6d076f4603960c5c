#include "models/parameter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/error.h"
#include "models/nearest.h"

namespace missive {

namespace {

constexpr const char* kFormat = "missive-sim/parameters/1";

std::optional<Provenance> provenance_from(const std::string& text) {
  for (Provenance p : {Provenance::measured, Provenance::published, Provenance::assumed})
    if (text == to_string(p)) return p;
  return std::nullopt;
}

// What is wrong with the parameter itself, "" when nothing is.
std::string fault(const Parameter& p) {
  if (!std::isfinite(p.value)) return "the value is not a finite number";
  if (!std::isfinite(p.low) || !std::isfinite(p.high)) return "the interval is not finite";
  if (p.low > p.high) return "the interval's lower end is above its upper end";
  if (p.source.empty())
    return "'source' is missing; name the micro-measurement, the citation or the reason";
  return "";
}

// Reads one entry and collects what is wrong with it.
class EntryReader {
 public:
  EntryReader(const nlohmann::json& entry, std::string where, std::vector<std::string>& errors)
      : entry_(entry), where_(std::move(where)), errors_(errors) {}

  std::optional<Parameter> read() {
    const std::size_t before = errors_.size();
    if (!entry_.is_object()) {
      error("is not an object; write {\"value\": ..., \"unit\": ..., ...}");
      return std::nullopt;
    }
    check_keys();
    Parameter p;
    p.value = p.low = p.high = number("value");
    p.unit = text("unit", true);
    p.source = text("source", true);
    p.date = text("date", false);
    read_provenance(p);
    read_interval(p);
    if (errors_.size() == before)
      if (const std::string what = fault(p); !what.empty()) error(what);
    if (errors_.size() != before) return std::nullopt;
    return p;
  }

 private:
  void error(const std::string& what) { errors_.push_back(where_ + ": " + what); }

  void check_keys() {
    static const std::vector<std::string> known{"value",  "unit", "provenance",
                                                "source", "ci95", "date"};
    for (const auto& item : entry_.items())
      if (std::find(known.begin(), known.end(), item.key()) == known.end())
        error("unknown key '" + item.key() + "'" + did_you_mean(item.key(), known));
  }

  double number(const char* key) {
    const auto found = entry_.find(key);
    if (found == entry_.end() || !found->is_number()) {
      error(fmt::format("'{}' is not a number", key));
      return 0;
    }
    return found->get<double>();
  }

  std::string text(const char* key, bool required) {
    const auto found = entry_.find(key);
    if (found == entry_.end()) {
      if (required) error(fmt::format("'{}' is missing", key));
      return "";
    }
    if (!found->is_string() || (required && found->get_ref<const std::string&>().empty())) {
      error(fmt::format("'{}' is not a text with something in it", key));
      return "";
    }
    return found->get<std::string>();
  }

  void read_provenance(Parameter& p) {
    const auto found = entry_.find("provenance");
    if (found != entry_.end() && found->is_string())
      if (const auto known = provenance_from(found->get<std::string>())) {
        p.provenance = *known;
        return;
      }
    error("'provenance' is not one of measured, published, assumed");
  }

  void read_interval(Parameter& p) {
    const auto found = entry_.find("ci95");
    if (found == entry_.end()) return;
    if (!found->is_array() || found->size() != 2 || !(*found)[0].is_number() ||
        !(*found)[1].is_number()) {
      error("'ci95' is not a pair of numbers");
      return;
    }
    p.low = (*found)[0].get<double>();
    p.high = (*found)[1].get<double>();
  }

  const nlohmann::json& entry_;
  std::string where_;
  std::vector<std::string>& errors_;
};

void check_document(const nlohmann::json& document, const std::string& where,
                    std::vector<std::string>& errors) {
  static const std::vector<std::string> known{"format", "host", "parameters"};
  for (const auto& item : document.items())
    if (std::find(known.begin(), known.end(), item.key()) == known.end())
      errors.push_back(where + ": unknown key '" + item.key() + "'" +
                       did_you_mean(item.key(), known));
  const auto format = document.find("format");
  if (format == document.end() || *format != kFormat)
    errors.push_back(where + ": 'format' is not \"" + kFormat +
                     "\"; write the file again with `missive-sim calibrate`");
  const auto parameters = document.find("parameters");
  if (parameters == document.end() || !parameters->is_object())
    errors.push_back(where + ": 'parameters' is not an object; write {\"NAME\": {...}, ...}");
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "\n") + line;
  return text;
}

}  // namespace

std::string to_string(Provenance p) {
  switch (p) {
    case Provenance::measured:
      return "measured";
    case Provenance::published:
      return "published";
    case Provenance::assumed:
      return "assumed";
  }
  throw std::logic_error("a provenance outside its enumeration");
}

const Parameter& ParameterSet::at(const std::string& name) const {
  const auto found = parameters_.find(name);
  if (found != parameters_.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& entry : parameters_) names.push_back(entry.first);
  throw InputError("parameters: '" + name + "' is missing; run `missive-sim calibrate` or set it" +
                   did_you_mean(name, names));
}

void ParameterSet::set(const std::string& name, Parameter parameter) {
  if (name.empty()) throw InputError("parameters: a parameter has no name; give it one");
  if (parameter.low == 0 && parameter.high == 0) parameter.low = parameter.high = parameter.value;
  if (const std::string what = fault(parameter); !what.empty())
    throw InputError("parameters: '" + name + "': " + what);
  parameters_[name] = std::move(parameter);
}

void ParameterSet::merge(const ParameterSet& other) {
  for (const auto& [name, parameter] : other.parameters_) parameters_[name] = parameter;
}

ParameterSet ParameterSet::from_json(const nlohmann::json& document, const std::string& where) {
  if (!document.is_object())
    throw InputError(where +
                     ": not a JSON object; write the file again with `missive-sim calibrate`");
  std::vector<std::string> errors;
  check_document(document, where, errors);
  ParameterSet result;
  if (const auto parameters = document.find("parameters");
      parameters != document.end() && parameters->is_object())
    for (const auto& item : parameters->items()) {
      const std::string place = where + ": /parameters/" + item.key();
      if (item.key().empty()) errors.push_back(place + ": a parameter has no name");
      if (auto p = EntryReader(item.value(), place, errors).read(); p && !item.key().empty())
        result.parameters_[item.key()] = std::move(*p);
    }
  if (!errors.empty()) throw InputError(joined(errors));
  return result;
}

nlohmann::json ParameterSet::to_json() const {
  nlohmann::json entries = nlohmann::json::object();
  for (const auto& [name, p] : parameters_) {
    nlohmann::json& entry = entries[name];
    entry = {{"value", p.value},
             {"unit", p.unit},
             {"provenance", to_string(p.provenance)},
             {"source", p.source},
             {"ci95", {p.low, p.high}}};
    if (!p.date.empty()) entry["date"] = p.date;
  }
  return {{"format", kFormat}, {"parameters", entries}};
}

}  // namespace missive
