#include "harness/key_help.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "harness/schema.h"
#include "models/error.h"
#include "models/nearest.h"

namespace missive::harness {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string plain(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string list_of(const Json& values) {
  std::vector<std::string> words;
  for (const Json& value : values) words.push_back(plain(value));
  return joined(words);
}

std::string type_of(const Json& schema) {
  if (schema.contains("const")) return "always " + plain(schema["const"]);
  if (schema.contains("enum")) return "one of " + list_of(schema["enum"]);
  const std::string quantity = schema.value("x-quantity", std::string{});
  if (quantity == "time") return "time with unit, \"5ms\"";
  if (quantity == "size") return "size with unit, \"64KiB\"";
  if (quantity == "rate") return "rate with unit, \"50Mbit/s\"";
  if (!schema.contains("type")) return {};
  const std::string type =
      schema["type"].is_array() ? list_of(schema["type"]) : plain(schema["type"]);
  if (type.starts_with("array") && schema.contains("items"))
    return type + "; each: " + type_of(schema["items"]);
  return type;
}

std::string range_of(const Json& schema) {
  const auto bound = [&](const char* plain_key, const char* quantity_key) {
    const char* key = schema.contains(quantity_key) ? quantity_key : plain_key;
    return schema.contains(key) ? plain(schema[key]) : std::string{};
  };
  const std::string low = bound("minimum", "x-minimum"), high = bound("maximum", "x-maximum");
  std::string text;
  if (!low.empty() && !high.empty())
    text = low + " to " + high;
  else if (!low.empty())
    text = "at least " + low;
  else if (!high.empty())
    text = "at most " + high;
  if (schema.value("x-power-of-two", false)) text += ", a power of two";
  return text;
}

KeyHelp describe(const std::string& key, const std::string& kind, const Json& schema) {
  KeyHelp help;
  help.key = key;
  help.kinds = {kind};
  help.description = schema.value("description", std::string{});
  help.type = type_of(schema);
  if (schema.contains("default")) help.default_value = schema["default"].dump();
  help.range = range_of(schema);
  help.per_point = schema.value("x-per-point", false);
  return help;
}

bool alike(const KeyHelp& a, const KeyHelp& b) {
  return a.key == b.key && a.description == b.description && a.type == b.type &&
         a.default_value == b.default_value && a.range == b.range && a.per_point == b.per_point;
}

std::string wrapped(const std::string& text, const std::string& indent) {
  std::string out = indent, word;
  std::size_t column = indent.size();
  const auto put = [&] {
    if (word.empty()) return;
    if (column > indent.size() && column + 1 + word.size() > 98) {
      out += '\n' + indent;
      column = indent.size();
    }
    if (column > indent.size()) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    word.clear();
  };
  for (const char c : text)
    if (c == ' ' || c == '\n')
      put();
    else
      word += c;
  put();
  return out + '\n';
}

}  // namespace

std::vector<KeyHelp> all_keys() {
  std::vector<KeyHelp> all;
  for (const std::string& kind : experiment_kinds()) {
    const std::function<void(const Json&, const std::string&)> walk =
        [&](const Json& schema, const std::string& prefix) {
          const auto properties = schema.find("properties");
          if (properties == schema.end()) return;
          for (const auto& [name, sub] : properties->items()) {
            const std::string key = prefix.empty() ? name : prefix + '.' + name;
            KeyHelp help = describe(key, kind, sub);
            const auto same = std::find_if(
                all.begin(), all.end(), [&](const KeyHelp& known) { return alike(known, help); });
            if (same == all.end())
              all.push_back(std::move(help));
            else
              same->kinds.push_back(kind);
            walk(sub, key);
          }
        };
    walk(experiment_schema(kind).document(), "");
  }
  return all;
}

std::vector<KeyHelp> find_keys(const std::string& word) {
  std::string wanted = word.starts_with('/') ? word.substr(1) : word;
  std::replace(wanted.begin(), wanted.end(), '/', '.');
  std::vector<KeyHelp> exact, last;
  std::vector<std::string> known;
  for (KeyHelp& key : all_keys()) {
    known.push_back(key.key);
    const auto dot = key.key.rfind('.');
    if (dot != std::string::npos) known.push_back(key.key.substr(dot + 1));
    if (key.key == wanted)
      exact.push_back(key);
    else if (key.key.ends_with('.' + wanted))
      last.push_back(key);
  }
  if (!exact.empty()) return exact;
  if (!last.empty()) return last;
  std::string hint = did_you_mean(wanted, known);
  if (hint.empty()) hint = "; 'missive-sim help' lists all keys and commands";
  throw InputError(fmt::format("{}: is no key of experiment files and no command{}", word, hint));
}

std::string text_of(const KeyHelp& key) {
  std::string text = fmt::format("{}   (experiments of kind {})\n", key.key, joined(key.kinds));
  if (!key.description.empty()) text += wrapped(key.description, "  ");
  const auto line = [&](const char* what, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<8} {}\n", what, value);
  };
  line("type", key.type);
  line("default", key.default_value);
  line("range", key.range);
  if (key.per_point) {
    std::string pointer = '/' + key.key;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    line("sweep", fmt::format("\"{}\": [...]", pointer));
  }
  return text;
}

}  // namespace missive::harness
