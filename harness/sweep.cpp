#include "harness/sweep.h"

#include <algorithm>

#include <fmt/format.h>

#include "models/nearest.h"

namespace missive::harness {
namespace {

const Json kEmptyObject = Json::object();
const Json kEmptyArray = Json::array();

const Json& member(const Json& document, const char* key, const Json& otherwise) {
  const auto found = document.find(key);
  return found != document.end() && found->type() == otherwise.type() ? *found : otherwise;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

void check_pointer(const std::string& pointer, const Schema& schema, const std::string& at,
                   std::vector<Problem>& problems) {
  const auto sweepable = schema.pointers(true);
  const auto all = schema.pointers(false);
  const auto in = [&](const auto& list) {
    return std::find(list.begin(), list.end(), pointer) != list.end();
  };
  if (in(sweepable)) return;
  if (in(all)) {
    problems.push_back({at, true,
                        fmt::format("'{}' holds for the whole experiment; sweep one of {}", pointer,
                                    joined(sweepable))});
    return;
  }
  std::string hint = did_you_mean(pointer, sweepable);
  if (hint.empty() && !pointer.starts_with('/')) hint = did_you_mean("/" + pointer, sweepable);
  if (hint.empty()) hint = "; sweep one of " + joined(sweepable);
  problems.push_back({at, true, fmt::format("'{}' points to nothing{}", pointer, hint)});
}

bool matches(const SweepPoint& point, const Json& exclusion) {
  return std::all_of(exclusion.items().begin(), exclusion.items().end(), [&](const auto& item) {
    return std::any_of(point.values.begin(), point.values.end(), [&](const auto& value) {
      return value.first == item.key() && value.second == item.value();
    });
  });
}

void check_exclusions(const Json& sweep, const Json& exclude, std::vector<Problem>& problems) {
  for (std::size_t i = 0; i < exclude.size(); ++i) {
    if (!exclude[i].is_object()) continue;  // the schema has reported it
    for (const auto& [pointer, value] : exclude[i].items()) {
      const std::string at = child(child("/exclude", i), pointer);
      const auto axis = sweep.find(pointer);
      if (axis == sweep.end()) {
        std::vector<std::string> swept;
        for (const auto& item : sweep.items()) swept.push_back(item.key());
        problems.push_back(
            {at, true, fmt::format("'{}' is not swept{}", pointer, did_you_mean(pointer, swept))});
      } else if (axis->is_array() && std::find(axis->begin(), axis->end(), value) == axis->end()) {
        problems.push_back({at, false, "the sweep has no such value, so this excludes nothing"});
      }
    }
  }
}

}  // namespace

std::vector<Problem> check_sweep(const Json& document, const Schema& schema) {
  std::vector<Problem> problems;
  const Json& sweep = member(document, "sweep", kEmptyObject);
  const Json& exclude = member(document, "exclude", kEmptyArray);
  std::size_t points = 1;
  for (const auto& [pointer, values] : sweep.items()) {
    const std::string at = child("/sweep", pointer);
    check_pointer(pointer, schema, at, problems);
    if (!values.is_array() || values.empty()) {  // reported by the schema, except for this:
      if (values.is_array())
        problems.push_back({at, false, "the sweep has no points; give at least one value"});
      points = 0;
      continue;
    }
    if (const Json* sub = schema.find(pointer))
      for (std::size_t i = 0; i < values.size(); ++i)
        for (Problem& problem : schema.check_with(*sub, values[i], child(at, i)))
          problems.push_back(std::move(problem));
    points = std::min(points * values.size(), kMaxPoints + 1);
  }
  if (points > kMaxPoints)
    problems.push_back(
        {"/sweep", false, fmt::format("has more than {} points; split it", kMaxPoints)});
  check_exclusions(sweep, exclude, problems);
  if (problems.empty() && points > 0 && expand_sweep(document).empty())
    problems.push_back({"/exclude", false, "the sweep has no points: all of them are excluded"});
  return problems;
}

std::vector<SweepPoint> expand_sweep(const Json& document) {
  std::vector<SweepPoint> points{SweepPoint{}};
  for (const auto& [pointer, values] : member(document, "sweep", kEmptyObject).items()) {
    std::vector<SweepPoint> longer;
    longer.reserve(points.size() * values.size());
    for (const SweepPoint& point : points)
      for (const Json& value : values) {
        longer.push_back(point);
        longer.back().values.emplace_back(pointer, value);
      }
    points = std::move(longer);
  }
  for (const Json& exclusion : member(document, "exclude", kEmptyArray))
    std::erase_if(points, [&](const SweepPoint& point) { return matches(point, exclusion); });
  return points;
}

void fix_in_sweep(Json& document, const std::string& pointer, const Json& value) {
  const auto sweep = document.find("sweep");
  if (sweep == document.end() || !sweep->is_object() || sweep->erase(pointer) == 0) return;
  const auto exclude = document.find("exclude");
  if (exclude == document.end() || !exclude->is_array()) return;
  Json kept = Json::array();
  for (Json exclusion : *exclude) {
    const bool has = exclusion.is_object() && exclusion.contains(pointer);
    if (has && exclusion[pointer] != value) continue;
    if (has) exclusion.erase(pointer);
    kept.push_back(std::move(exclusion));
  }
  *exclude = std::move(kept);
}

}  // namespace missive::harness
