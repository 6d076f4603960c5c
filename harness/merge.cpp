#include "harness/merge.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

#include "harness/experiment_kind.h"
#include "harness/result_reader.h"

namespace missive::harness {
namespace {

Json context_value(const Result& result, const char* key) {
  return result.context.is_object() && result.context.contains(key) ? result.context[key] : Json();
}

bool measured(const Result& result) {
  for (const PointResult& point : result.points)
    for (const Metric& m : point.metrics)
      if (m.measured) return true;
  return false;
}

// The first place where two documents differ, as a JSON pointer.
std::string first_difference(const Json& a, const Json& b, const std::string& pointer = {}) {
  if (a == b) return {};
  if (a.is_object() && b.is_object())
    for (const auto& [key, value] : a.items()) {
      if (!b.contains(key)) return child(pointer, key);
      if (const std::string found = first_difference(value, b[key], child(pointer, key));
          !found.empty())
        return found;
    }
  return pointer.empty() ? "/" : pointer;
}

[[noreturn]] void refuse(const Part& a, const Part& b, const std::string& what,
                         const std::string& what_to_do) {
  throw InputError(fmt::format("{}: {} than in {}; {}", b.where, what, a.where, what_to_do));
}

void check_parameters(const Part& a, const Part& b) {
  const std::string together =
      "run all parts with the same --parameters FILE, or on hosts that are calibrated alike";
  if (const Json x = context_value(a.result, "parameters_sha256"),
      y = context_value(b.result, "parameters_sha256");
      x != y)
    refuse(a, b, "was given other --parameters", together);
  for (const auto& [name, p] : b.result.parameters_used.all()) {
    if (!a.result.parameters_used.contains(name)) continue;
    const Parameter& other = a.result.parameters_used.at(name);
    if (p.value != other.value || p.low != other.low || p.high != other.high ||
        p.unit != other.unit || p.provenance != other.provenance)
      refuse(a, b,
             fmt::format("the parameter {} has another value ({:g}, there {:g})", name, p.value,
                         other.value),
             together);
  }
}

// Where every point of the experiment is.
std::map<std::string, std::size_t> places_of(const Experiment& e) {
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < e.grid.size(); ++i) places[e.grid[i].id] = i;
  return places;
}

// The name of each point's part; throws when one is twice, or of no such experiment.
std::vector<const Part*> owners(const Experiment& e, const std::vector<Part>& parts) {
  const auto places = places_of(e);
  std::vector<const Part*> all(e.grid.size());
  for (const Part& part : parts)
    for (const PointResult& point : part.result.points) {
      const auto place = places.find(point.id);
      if (place == places.end())
        throw InputError(
            fmt::format("{}: has the point {} ({}), which the experiment does not; "
                        "run the experiment again",
                        part.where, point.id, point.label));
      const Part*& owner = all[place->second];
      if (owner != nullptr)
        throw InputError(
            fmt::format("{}: the point {} ({}) is also in {}; name each shard once, "
                        "and shards of one division only",
                        part.where, point.id, point.label, owner->where));
      owner = &part;
    }
  return all;
}

void append_new(std::vector<std::string>& all, const std::vector<std::string>& more) {
  for (const std::string& text : more)
    if (std::find(all.begin(), all.end(), text) == all.end()) all.push_back(text);
}

}  // namespace

void check_same_configuration(const Part& first, const Part& other) {
  const Result &a = first.result, &b = other.result;
  const std::string again = "merge parts of one run only";
  if (a.sha256 != b.sha256)
    refuse(
        first, other,
        fmt::format("is of another experiment file ('{}', SHA-256 {:.8}..., there '{}', {:.8}...)",
                    b.name, b.sha256, a.name, a.sha256),
        again);
  if (a.seed != b.seed)
    refuse(first, other, fmt::format("has another seed ({}, there {})", b.seed, a.seed), again);
  if (const std::string at = first_difference(a.effective, b.effective); !at.empty())
    refuse(first, other, fmt::format("{} has another value in the configuration", at),
           "give all parts the same options");
  for (const char* key : {"version", "commit"})
    if (context_value(a, key) != context_value(b, key))
      refuse(first, other,
             fmt::format("was made by another {} of the program ({})", key,
                         context_value(b, key).dump()),
             "run all parts with one build");
  check_parameters(first, other);
  if (measured(a) && measured(b))
    for (const char* key : {"cpu", "cores", "kernel"})
      if (context_value(a, key) != context_value(b, key))
        refuse(first, other, fmt::format("was measured on another host ({})", key),
               "keep them apart and look at them with 'missive-sim compare'");
}

Result combine(const Experiment& e, const std::vector<Part>& parts) {
  const std::vector<const Part*> owner = owners(e, parts);
  Result all = empty_result(e);
  std::map<std::string, std::vector<const ObservationRow*>> rows;
  for (const Part& part : parts) {
    for (const ObservationRow& row : part.result.observations) rows[row.point].push_back(&row);
    append_new(all.summary.not_available, part.result.summary.not_available);
    append_new(all.summary.failures, part.result.summary.failures);
    all.summary.interrupted |= part.result.summary.interrupted;
    for (const auto& [name, p] : part.result.parameters_used.all())
      all.parameters_used.set(name, p);
    if (all.context.empty()) all.context = part.result.context;
  }
  for (std::size_t i = 0; i < e.grid.size(); ++i) {
    if (owner[i] == nullptr) continue;
    for (const PointResult& point : owner[i]->result.points)
      if (point.id == e.grid[i].id) all.points[i] = point;
    for (const ObservationRow* row : rows[e.grid[i].id]) all.observations.push_back(*row);
  }
  experiment_kind(e.kind).summarise(e, all);
  return all;
}

Result merge(const std::vector<Part>& parts) {
  if (parts.empty()) throw InputError("merge: no results; name the folders of all shards");
  for (const Part& part : parts)
    if (part.result.summary.interrupted)
      throw InputError(part.where +
                       ": was interrupted and is not whole; finish it with the same command and "
                       "--resume");
  for (std::size_t i = 1; i < parts.size(); ++i) check_same_configuration(parts[0], parts[i]);
  const Experiment e = experiment_of(parts[0].result, parts[0].where);
  if (experiment_kind(e.kind).summarise == nullptr)
    throw InputError(fmt::format("{}: experiments of kind '{}' cannot be merged; run them whole",
                                 parts[0].where, e.kind));
  const std::vector<const Part*> owner = owners(e, parts);
  std::string missing;
  std::size_t n = 0;
  for (std::size_t i = 0; i < owner.size(); ++i)
    if (owner[i] == nullptr && ++n <= 3)
      missing += fmt::format("{}{} ({})", n == 1 ? "" : ", ", e.grid[i].id, e.grid[i].label);
  if (n > 0)
    throw InputError(
        fmt::format("merge: {} of {} points are in none of the {} results: {}{}; run "
                    "their shards and name them too",
                    n, owner.size(), parts.size(), missing, n > 3 ? ", ..." : ""));
  Result all = combine(e, parts);
  // The context is the first part's; of the others what tells them apart.
  Json merged = Json::array();
  for (const Part& part : parts) {
    Json entry = Json::object();
    entry["points"] = part.result.points.size();
    for (const char* key : {"cpu", "kernel", "date", "load"})
      entry[key] = context_value(part.result, key);
    merged.push_back(std::move(entry));
  }
  all.context["merged_from"] = std::move(merged);
  return all;
}

}  // namespace missive::harness
