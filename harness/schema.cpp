#include "harness/schema.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

#include <regex.h>

#include <fmt/format.h>

#include "models/nearest.h"
#include "models/quantity.h"
#include "real/data_dir.h"
#include "real/domains/domain.h"

namespace missive::harness {
namespace {

// No value with a form is longer; a hostile one is refused before it is matched.
constexpr std::size_t kLongestPatternInput = 256;

// A pattern of the schema. POSIX extended expressions (regex(7)) and those of draft-07 agree on
// what the schema uses; std::regex is slower and recurses with the length of its input.
class Pattern {
 public:
  explicit Pattern(const std::string& text) {
    if (regcomp(&compiled_, text.c_str(), REG_EXTENDED | REG_NOSUB) != 0)
      throw RunError(fmt::format("experiment schema: pattern {} cannot be compiled", text));
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  ~Pattern() { regfree(&compiled_); }
  // regexec stops at a NUL; text with one in it matches nothing.
  bool matches(const std::string& text) const {
    return text.find('\0') == std::string::npos &&
           regexec(&compiled_, text.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t compiled_{};
};

const std::set<std::string> kKeywords{
    "$schema",     "title",     "description", "default",   "type",          "properties",
    "required",    "enum",      "const",       "minimum",   "maximum",       "additionalProperties",
    "minItems",    "maxItems",  "uniqueItems", "items",     "minProperties", "pattern",
    "minLength",   "maxLength", "x-quantity",  "x-minimum", "x-maximum",     "x-power-of-two",
    "x-per-point", "x-registry"};

void check_keywords(const Json& schema, const std::string& pointer, const std::string& where) {
  if (!schema.is_object()) throw RunError(where + ": " + pointer + ": a schema must be an object");
  for (const auto& [keyword, value] : schema.items()) {
    if (!kKeywords.contains(keyword))
      throw RunError(where + ": " + child(pointer, keyword) + ": keyword not supported here");
    if (keyword == "properties")
      for (const auto& [key, sub] : value.items())
        check_keywords(sub, child(child(pointer, keyword), key), where);
    else if (keyword == "items" || (keyword == "additionalProperties" && value.is_object()))
      check_keywords(value, child(pointer, keyword), where);
  }
}

const char* type_name(const Json& value) {
  if (value.is_null()) return "null";
  if (value.is_boolean()) return "a boolean";
  if (value.is_number_integer()) return "an integer";
  if (value.is_number()) return "a number";
  if (value.is_string()) return "a string";
  return value.is_array() ? "an array" : "an object";
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "integer")
    return value.is_number_integer() ||
           (value.is_number_float() && std::floor(value.get<double>()) == value.get<double>());
  if (type == "number") return value.is_number();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return value.is_null();
}

std::string with_article(const std::string& type) {
  return (type.find_first_of("aeio") == 0 ? "an " : "a ") + type;
}

std::string shown(const Json& value) {
  constexpr std::size_t kLongest = 40;
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

std::string listed(const Json& values) {
  std::string text;
  for (const Json& value : values) text += (text.empty() ? "" : ", ") + shown(value);
  return text;
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

double quantity(const std::string& text, const std::string& kind) {
  if (kind == "time") return to_seconds(parse_time(text));
  if (kind == "size") return static_cast<double>(parse_bytes(text).count);
  return parse_rate(text).bytes_per_second;
}

class Checker {
 public:
  std::vector<Problem> problems;

  void check(const Json& schema, const Json& value, const std::string& pointer) {
    if (!check_type(schema, value, pointer) || !check_values(schema, value, pointer)) return;
    if (value.is_number()) check_number(schema, value, pointer);
    if (value.is_string()) check_string(schema, value.get_ref<const std::string&>(), pointer);
    if (value.is_array()) check_array(schema, value, pointer);
    if (value.is_object()) check_object(schema, value, pointer);
  }

 private:
  void report(std::string pointer, std::string message, bool at_key = false) {
    problems.push_back({std::move(pointer), at_key, std::move(message)});
  }

  bool check_type(const Json& schema, const Json& value, const std::string& pointer) {
    const auto type = schema.find("type");
    if (type == schema.end()) return true;
    if (type->is_array()) return check_types(*type, value, pointer);
    if (has_type(value, type->get<std::string>())) return true;
    if (schema.contains("x-quantity") && value.is_number()) {
      report(pointer, fmt::format("{} has no unit; write it as a string like \"{}\"", shown(value),
                                  schema.value("default", "1")));
      return false;
    }
    report(pointer, fmt::format("is {}; it must be {}", type_name(value),
                                with_article(type->get<std::string>())));
    return false;
  }

  bool check_types(const Json& types, const Json& value, const std::string& pointer) {
    std::string wanted;
    for (const Json& type : types) {
      const auto name = type.get<std::string>();
      if (has_type(value, name)) return true;
      wanted += (wanted.empty() ? "" : " or ") + with_article(name);
    }
    report(pointer, fmt::format("is {}; it must be {}", type_name(value), wanted));
    return false;
  }

  bool check_values(const Json& schema, const Json& value, const std::string& pointer) {
    if (const auto only = schema.find("const"); only != schema.end() && *only != value) {
      report(pointer, fmt::format("{} is not known here; this program reads {}", shown(value),
                                  shown(*only)));
      return false;
    }
    const auto values = schema.find("enum");
    if (values == schema.end() || std::find(values->begin(), values->end(), value) != values->end())
      return true;
    std::string hint;
    if (value.is_string()) {
      std::vector<std::string> names;
      for (const Json& v : *values)
        if (v.is_string()) names.push_back(v);
      hint = did_you_mean(value, names);
    }
    report(pointer, fmt::format("{} is not one of {}{}", shown(value), listed(*values), hint));
    return false;
  }

  void check_number(const Json& schema, const Json& value, const std::string& pointer) {
    const double number = value.get<double>();
    if (const auto low = schema.find("minimum"); low != schema.end() && number < low->get<double>())
      report(pointer, fmt::format("{} is too small; at least {}", shown(value), shown(*low)));
    if (const auto high = schema.find("maximum");
        high != schema.end() && number > high->get<double>())
      report(pointer, fmt::format("{} is too large; at most {}", shown(value), shown(*high)));
  }

  void check_string(const Json& schema, const std::string& text, const std::string& pointer) {
    const auto longest = schema.value("maxLength", kLongestPatternInput);
    if (text.size() < schema.value("minLength", std::size_t{0}))
      return report(pointer, "is empty; write something");
    if ((schema.contains("pattern") || schema.contains("maxLength")) && text.size() > longest)
      return report(pointer, fmt::format("is longer than {} bytes; shorten it", longest));
    if (schema.contains("x-quantity") && !check_quantity(schema, text, pointer)) return;
    if (const auto pattern = schema.find("pattern"); pattern != schema.end())
      if (!Pattern(pattern->get<std::string>()).matches(text))
        report(pointer, fmt::format("{} does not have the form {}; {}", shown(text),
                                    pattern->get<std::string>(), schema.value("description", "")));
  }

  bool check_quantity(const Json& schema, const std::string& text, const std::string& pointer) {
    const auto kind = schema["x-quantity"].get<std::string>();
    double number = 0;
    try {
      number = quantity(text, kind);
    } catch (const std::invalid_argument& e) {
      report(pointer, e.what());
      return false;
    }
    const auto bound = [&](const char* keyword) -> std::optional<std::string> {
      const auto found = schema.find(keyword);
      if (found == schema.end()) return std::nullopt;
      return found->get<std::string>();
    };
    if (const auto low = bound("x-minimum"); low && number < quantity(*low, kind))
      report(pointer, fmt::format("{} is too small; at least {}", text, *low));
    else if (const auto high = bound("x-maximum"); high && number > quantity(*high, kind))
      report(pointer, fmt::format("{} is too large; at most {}", text, *high));
    else if (schema.value("x-power-of-two", false) &&
             std::exp2(std::round(std::log2(number))) != number)
      report(pointer, fmt::format("{} is not a power of two; write for example {}", text,
                                  schema.value("default", "64KiB")));
    else
      return true;
    return false;
  }

  void check_array(const Json& schema, const Json& value, const std::string& pointer) {
    if (value.size() < schema.value("minItems", std::size_t{0}))
      report(pointer, value.empty() ? "is empty; give at least one value" : "has too few items");
    if (schema.contains("maxItems") && value.size() > schema["maxItems"].get<std::size_t>())
      report(pointer, fmt::format("has {} items; at most {}", value.size(),
                                  schema["maxItems"].get<std::size_t>()));
    if (schema.value("uniqueItems", false)) {
      std::set<std::string> seen;
      for (std::size_t i = 0; i < value.size(); ++i)
        if (!seen.insert(value[i].dump(-1, ' ', false, Json::error_handler_t::replace)).second)
          report(child(pointer, i), shown(value[i]) + " is given twice; remove one");
    }
    if (const auto items = schema.find("items"); items != schema.end())
      for (std::size_t i = 0; i < value.size(); ++i) check(*items, value[i], child(pointer, i));
  }

  void check_object(const Json& schema, const Json& value, const std::string& pointer) {
    static const Json kNone = Json::object();
    const auto found = schema.find("properties");
    const Json& properties = found == schema.end() ? kNone : *found;
    const auto others = schema.find("additionalProperties");
    for (const auto& [key, member] : value.items()) {
      if (const auto sub = properties.find(key); sub != properties.end())
        check(*sub, member, child(pointer, key));
      else if (others != schema.end() && others->is_object())
        check(*others, member, child(pointer, key));
      else if (others != schema.end() && *others == false)
        report(child(pointer, key), fmt::format("unknown key{}", unknown_key_hint(key, properties)),
               true);
    }
    if (value.size() < schema.value("minProperties", std::size_t{0}))
      report(pointer, "is empty; give at least one key");
    if (const auto required = schema.find("required"); required != schema.end())
      for (const Json& key : *required)
        if (!value.contains(key.get<std::string>())) report(pointer, missing_key(key, properties));
  }

  static std::string unknown_key_hint(const std::string& key, const Json& properties) {
    const auto keys = keys_of(properties);
    if (std::string hint = did_you_mean(key, keys); !hint.empty()) return hint;
    std::string all;
    for (const std::string& k : keys) all += (all.empty() ? "" : ", ") + k;
    return fmt::format("; known here: {}", all);
  }

  static std::string missing_key(const std::string& key, const Json& properties) {
    std::string example = "...";
    if (const auto sub = properties.find(key); sub != properties.end()) {
      if (sub->contains("const"))
        example = shown((*sub)["const"]);
      else if (sub->contains("enum"))
        example = shown((*sub)["enum"][0]);
    }
    return fmt::format("key \"{}\" is missing; add \"{}\": {}", key, key, example);
  }
};

}  // namespace

Schema::Schema(Json document, const std::string& where) : document_(std::move(document)) {
  check_keywords(document_, "", where);
}

std::vector<Problem> Schema::check(const Json& instance) const {
  return check_with(document_, instance, "");
}

std::vector<Problem> Schema::check_with(const Json& sub_schema, const Json& value,
                                        const std::string& pointer) {
  Checker checker;
  checker.check(sub_schema, value, pointer);
  return std::move(checker.problems);
}

Json Schema::with_defaults(const Json& instance) const {
  const std::function<Json(const Json&, const Json&)> fill = [&](const Json& schema,
                                                                 const Json& value) -> Json {
    const auto properties = schema.find("properties");
    if (!value.is_object() || properties == schema.end()) return value;
    Json filled = Json::object();
    for (const auto& [key, sub] : properties->items()) {
      if (const auto own = value.find(key); own != value.end())
        filled[key] = fill(sub, *own);
      else if (const auto standard = sub.find("default"); standard != sub.end())
        filled[key] = fill(sub, *standard);
    }
    for (const auto& [key, member] : value.items())
      if (!properties->contains(key)) filled[key] = member;
    return filled;
  };
  return fill(document_, instance);
}

const Json* Schema::find(const std::string& pointer) const {
  const Json* schema = &document_;
  Json::json_pointer parsed;
  try {
    parsed = Json::json_pointer(pointer);
  } catch (const Json::exception&) {
    return nullptr;
  }
  std::vector<std::string> parts;
  for (; !parsed.empty(); parsed.pop_back()) parts.push_back(parsed.back());
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    const auto properties = schema->find("properties");
    const auto others = schema->find("additionalProperties");
    if (properties != schema->end() && properties->contains(*part))
      schema = &(*properties)[*part];
    else if (others != schema->end() && others->is_object())
      schema = &*others;
    else if (schema->contains("items"))
      schema = &(*schema)["items"];
    else
      return nullptr;
  }
  return schema;
}

std::vector<std::string> Schema::pointers(bool per_point_only) const {
  std::vector<std::string> all;
  const std::function<void(const Json&, const std::string&)> walk = [&](const Json& schema,
                                                                        const std::string& at) {
    if (const auto properties = schema.find("properties"); properties != schema.end()) {
      for (const auto& [key, sub] : properties->items()) walk(sub, child(at, key));
    } else if (!per_point_only || schema.value("x-per-point", false)) {
      all.push_back(at);
    }
  };
  walk(document_, "");
  return all;
}

namespace {

constexpr const char* kWhere = "schema";

// Copies `schema` with every {"$ref": "#/definitions/NAME"} replaced by what it points to. (Beside
// a $ref draft-07 ignores all other keywords.)
Json resolved(const Json& schema, const Json& definitions, int depth = 0) {
  constexpr int kDeepest = 32;  // a reference to itself would never end
  if (depth > kDeepest) throw RunError(fmt::format("{}: $ref goes round in circles", kWhere));
  if (schema.is_array()) {
    Json copy = Json::array();
    for (const Json& member : schema) copy.push_back(resolved(member, definitions, depth + 1));
    return copy;
  }
  if (!schema.is_object()) return schema;
  if (const auto reference = schema.find("$ref");
      reference != schema.end() && reference->is_string()) {
    const auto target = reference->get<std::string>();
    const std::string prefix = "#/definitions/";
    if (!target.starts_with(prefix) || !definitions.contains(target.substr(prefix.size())))
      throw RunError(fmt::format("{}: $ref {} points to nothing", kWhere, target));
    return resolved(definitions[target.substr(prefix.size())], definitions, depth + 1);
  }
  Json copy = Json::object();
  for (const auto& [key, member] : schema.items())
    copy[key] = resolved(member, definitions, depth + 1);
  return copy;
}

}  // namespace

Schema Schema::load(const std::filesystem::path& file) {
  Json document = JsonSource::read(file).document();
  const Json definitions = document.value("definitions", Json::object());
  document.erase("definitions");
  return Schema(resolved(document, definitions), file.string());
}

namespace {

void fill_registries(Json& schema) {
  if (schema.is_object() && schema.contains("x-registry") && schema["x-registry"] == "domain") {
    schema["enum"] = Json::array();
    for (const domains::Mechanism& m : domains::mechanisms()) schema["enum"].push_back(m.name);
  }
  if (schema.is_structured())
    for (Json& member : schema) fill_registries(member);
}

struct ExperimentSchemas {
  Json document;
  std::vector<std::pair<std::string, Schema>> kinds;
};

ExperimentSchemas load_experiment_schemas() {
  ExperimentSchemas all;
  all.document =
      JsonSource::read(data_dir() / "experiments/schema/experiment.schema.json").document();
  fill_registries(all.document);
  const Json& any_kind = all.document["properties"]["kind"];
  for (const Json& alternative : all.document["oneOf"]) {
    Json one = resolved(alternative, all.document["definitions"]);
    const std::string kind = one["properties"]["kind"]["const"];
    // A wrong kind is told all there are, not only the one it was taken for.
    one["properties"]["kind"] = any_kind;
    all.kinds.emplace_back(kind, Schema(std::move(one), kWhere));
  }
  return all;
}

const ExperimentSchemas& experiment_schemas() {
  static const ExperimentSchemas all = load_experiment_schemas();
  return all;
}

}  // namespace

const Json& experiment_schema_document() { return experiment_schemas().document; }

std::vector<std::string> experiment_kinds() {
  std::vector<std::string> kinds;
  for (const auto& [kind, schema] : experiment_schemas().kinds) kinds.push_back(kind);
  return kinds;
}

const Schema& experiment_schema(const std::string& kind) {
  for (const auto& [name, schema] : experiment_schemas().kinds)
    if (name == kind) return schema;
  throw InputError(
      fmt::format("no experiment kind '{}'{}", kind, did_you_mean(kind, experiment_kinds())));
}

const Schema& experiment_schema_for(const Json& document) {
  const auto kinds = experiment_kinds();
  std::string kind;
  if (document.is_object())
    if (const auto own = document.find("kind"); own != document.end() && own->is_string())
      kind = *own;
  if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kind = nearest(kind, kinds);
  return experiment_schema(kind.empty() ? kinds.front() : kind);
}

}  // namespace missive::harness
