#include "models/published.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "models/error.h"
#include "models/nearest.h"

namespace missive {

namespace {

constexpr const char* kFormat = "missive-sim/published/1";
constexpr std::size_t kMostErrors = 20;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string number_text(double value) { return fmt::format("{:.6g}", value); }

// " ns"; nothing for a plain number.
std::string suffix(const std::string& unit) { return unit == "count" ? "" : ' ' + unit; }

std::string time_text(double seconds) {
  std::string unit = "ns";
  for (const char* u : {"us", "ms", "s"})
    if (*si_factor(u) <= seconds) unit = u;
  return number_text(seconds / *si_factor(unit)) + ' ' + unit;
}

}  // namespace

class PublishedReader {
 public:
  explicit PublishedReader(std::string where) : where_(std::move(where)) {}

  PublishedCatalogue read(const nlohmann::json& document) {
    if (!document.is_object() || !document.contains("format") || document["format"] != kFormat)
      throw InputError(
          fmt::format("{}: is no catalogue; it must have \"format\": \"{}\"", where_, kFormat));
    static const std::vector<std::string> known{"format", "values", "seed", "ranges", "presets"};
    for (const auto& item : document.items())
      if (std::find(known.begin(), known.end(), item.key()) == known.end())
        error("unknown key '" + item.key() + "'" + did_you_mean(item.key(), known));
    if (!document.contains("values") || !document["values"].is_array())
      error("'values' is missing; it must be an array");
    else
      read_values(document["values"]);
    fail_on_errors();
    // From here on values_ does not move any more.
    if (document.contains("seed")) read_groups(document["seed"], "seed", catalogue_.seed_);
    if (document.contains("ranges")) read_groups(document["ranges"], "ranges", catalogue_.ranges_);
    if (document.contains("presets")) read_presets(document["presets"]);
    fail_on_errors();
    return std::move(catalogue_);
  }

 private:
  void error(const std::string& what) { errors_.push_back(where_ + ": " + what); }

  void fail_on_errors() const {
    if (errors_.empty()) return;
    std::string text;
    for (std::size_t i = 0; i < std::min(errors_.size(), kMostErrors); ++i)
      text += (i == 0 ? "" : "\n") + errors_[i];
    throw InputError(text);
  }

  void read_values(const nlohmann::json& values) {
    std::set<std::pair<std::string, std::string>> seen;
    catalogue_.values_.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t before = errors_.size();
      PublishedValue v = read_value(values[i], fmt::format("/values/{}", i));
      if (errors_.size() != before) continue;
      if (!seen.emplace(v.mechanism, v.quantity).second)
        error(fmt::format("/values/{}: {}, {} is there twice; remove one or say how they differ", i,
                          v.mechanism, v.quantity));
      catalogue_.values_.push_back(std::move(v));
    }
  }

  PublishedValue read_value(const nlohmann::json& entry, const std::string& at) {
    PublishedValue v;
    if (!entry.is_object()) {
      error(at + ": is not an object");
      return v;
    }
    static const std::vector<std::string> known{"mechanism", "quantity", "value", "low", "high",
                                                "unit",      "source",   "year",  "url", "how"};
    for (const auto& item : entry.items())
      if (std::find(known.begin(), known.end(), item.key()) == known.end())
        error(at + ": unknown key '" + item.key() + "'" + did_you_mean(item.key(), known));
    v.mechanism = text(entry, "mechanism", at);
    v.quantity = text(entry, "quantity", at);
    v.unit = text(entry, "unit", at);
    v.source = text(entry, "source", at);
    v.url = text(entry, "url", at);
    v.value = number(entry, "value", at);
    v.low = number(entry, "low", at);
    v.high = number(entry, "high", at);
    if (const auto year = number(entry, "year", at); !year || *year < 1950 || *year > 2100)
      error(at + ": 'year' is missing or no year");
    else
      v.year = static_cast<int>(*year);
    if (const std::string how = text(entry, "how", at); how != "read" && how != "unchecked")
      error(at + ": 'how' must be \"read\" or \"unchecked\"");
    else
      v.checked = how == "read";
    if (!v.value && !v.low && !v.high)
      error(at + ": has no number; give value, low or high");
    else if (v.low && v.high && *v.low > *v.high)
      error(at + ": 'low' is above 'high'");
    return v;
  }

  std::string text(const nlohmann::json& entry, const char* key, const std::string& at) {
    const auto found = entry.find(key);
    if (found != entry.end() && found->is_string() && !found->get_ref<const std::string&>().empty())
      return found->get<std::string>();
    error(fmt::format("{}: '{}' is missing or no text", at, key));
    return {};
  }

  std::optional<double> number(const nlohmann::json& entry, const char* key,
                               const std::string& at) {
    const auto found = entry.find(key);
    if (found == entry.end()) return std::nullopt;
    if (found->is_number() && std::isfinite(found->get<double>())) return found->get<double>();
    error(fmt::format("{}: '{}' is not a number", at, key));
    return std::nullopt;
  }

  void read_groups(const nlohmann::json& groups, const std::string& key,
                   std::map<std::string, PublishedCells>& out) {
    if (!groups.is_object()) return error("/" + key + ": is not an object");
    for (const auto& [group, cells] : groups.items())
      out[group] = read_cells(cells, "/" + key + "/" + group);
  }

  void read_presets(const nlohmann::json& presets) {
    if (!presets.is_array()) return error("/presets: is not an array");
    for (std::size_t i = 0; i < presets.size(); ++i) {
      const std::string at = fmt::format("/presets/{}", i);
      if (!presets[i].is_object() || !presets[i].contains("cells")) {
        error(at + ": is no object with 'cells'");
        continue;
      }
      catalogue_.presets_.push_back({text(presets[i], "name", at), text(presets[i], "what", at),
                                     read_cells(presets[i]["cells"], at + "/cells")});
    }
  }

  PublishedCells read_cells(const nlohmann::json& cells, const std::string& at) {
    PublishedCells out;
    if (!cells.is_object()) {
      error(at + ": is not an object");
      return out;
    }
    for (const auto& [cell, references] : cells.items())
      for (const auto& reference : references) try {
          out[cell].push_back(&catalogue_.at(reference.at(0).get<std::string>(),
                                             reference.at(1).get<std::string>()));
        } catch (const nlohmann::json::exception&) {
          error(at + "/" + cell + ": a reference is [\"mechanism\", \"quantity\"]");
        } catch (const InputError& e) {
          error(at + "/" + cell + ": " + e.what());
        }
    return out;
  }

  std::string where_;
  std::vector<std::string> errors_;
  PublishedCatalogue catalogue_;
};

double PublishedValue::least() const { return low ? *low : value ? *value : high.value_or(0); }

double PublishedValue::most() const { return high ? *high : value ? *value : low.value_or(0); }

std::string PublishedValue::text() const {
  const auto with_unit = [&](double number) { return number_text(number) + suffix(unit); };
  // A value that is its own bound was printed as "more than" or "less than".
  if (low && high) return number_text(*low) + " to " + with_unit(*high);
  if (low && (!value || *value == *low)) return "> " + with_unit(*low);
  if (high && (!value || *value == *high)) return "< " + with_unit(*high);
  if (low) return with_unit(*value) + " (from " + number_text(*low) + ")";
  if (high) return with_unit(*value) + " (up to " + number_text(*high) + ")";
  return with_unit(value.value_or(0));
}

std::optional<double> si_factor(const std::string& unit) {
  static const std::map<std::string, double> factors{
      {"ns", 1e-9},    {"us", 1e-6},       {"ms", 1e-3},         {"s", 1.0},
      {"x", 1.0},      {"count", 1.0},     {"%", 0.01},          {"B", 1.0},
      {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}};
  const auto found = factors.find(unit);
  if (found == factors.end()) return std::nullopt;
  return found->second;
}

std::string published_range(const std::vector<const PublishedValue*>& values) {
  struct Kind {
    std::string unit;
    double factor, least, most;
    std::size_t n;
    const PublishedValue* only;
  };
  static const std::set<std::string> times{"ns", "us", "ms", "s"};
  const auto kind = [](const std::string& unit) { return times.contains(unit) ? "time" : unit; };
  std::vector<Kind> kinds;
  for (const PublishedValue* v : values) {
    const double factor = times.contains(v->unit) ? *si_factor(v->unit) : 1.0;
    const auto same = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& k) {
      return std::string(kind(k.unit)) == std::string(kind(v->unit));
    });
    if (same == kinds.end()) {
      kinds.push_back({v->unit, factor, v->least() * factor, v->most() * factor, 1, v});
      continue;
    }
    same->least = std::min(same->least, v->least() * factor);
    same->most = std::max(same->most, v->most() * factor);
    ++same->n;
  }
  std::string text;
  for (const Kind& k : kinds) {
    if (!text.empty()) text += ", ";
    if (k.n == 1) {
      text += k.only->text();
      continue;
    }
    const auto end = [&](double value) {
      return times.contains(k.unit) ? time_text(value) : number_text(value) + suffix(k.unit);
    };
    text += k.least == k.most ? end(k.least) : fmt::format("{} to {}", end(k.least), end(k.most));
  }
  return text.empty() ? "-" : text;
}

PublishedCatalogue PublishedCatalogue::from_json(const nlohmann::json& document,
                                                 const std::string& where) {
  return PublishedReader(where).read(document);
}

const PublishedValue& PublishedCatalogue::at(const std::string& mechanism,
                                             const std::string& quantity) const {
  std::vector<std::string> mechanisms, quantities;
  for (const PublishedValue& v : values_) {
    if (v.mechanism == mechanism && v.quantity == quantity) return v;
    mechanisms.push_back(v.mechanism);
    if (v.mechanism == mechanism) quantities.push_back(v.quantity);
  }
  if (quantities.empty())
    throw InputError(fmt::format("nothing published is known of '{}'{}", mechanism,
                                 did_you_mean(mechanism, mechanisms)));
  std::string all;
  for (const std::string& q : quantities) all += (all.empty() ? "" : ", ") + q;
  throw InputError(fmt::format("no '{}' is known of '{}'; known: {}", quantity, mechanism, all));
}

std::vector<const PublishedValue*> PublishedCatalogue::matching(const std::string& text) const {
  const std::string wanted = lower(text);
  std::vector<const PublishedValue*> found;
  for (const PublishedValue& v : values_)
    if (lower(v.mechanism + '\n' + v.quantity + '\n' + v.source).find(wanted) != std::string::npos)
      found.push_back(&v);
  return found;
}

namespace {

std::vector<const PublishedValue*> look_up(const std::map<std::string, PublishedCells>& groups,
                                           const std::string& group, const std::string& row) {
  const auto cells = groups.find(group);
  if (cells == groups.end()) return {};
  const auto values = cells->second.find(row);
  return values == cells->second.end() ? std::vector<const PublishedValue*>{} : values->second;
}

}  // namespace

std::vector<const PublishedValue*> PublishedCatalogue::seed(const std::string& group,
                                                            const std::string& row) const {
  return look_up(seed_, group, row);
}

std::vector<const PublishedValue*> PublishedCatalogue::range(const std::string& group,
                                                             const std::string& row) const {
  return look_up(ranges_, group, row);
}

const PublishedPreset& PublishedCatalogue::preset(const std::string& name) const {
  std::vector<std::string> names;
  for (const PublishedPreset& p : presets_) {
    if (p.name == name) return p;
    names.push_back(p.name);
  }
  throw InputError(fmt::format("no preset '{}'{}", name, did_you_mean(name, names)));
}

}  // namespace missive
