// Experiments of kind "launch": which launches a file asks for.

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "harness/compare_metrics.h"
#include "harness/experiment_kind.h"
#include "harness/launch_calibrate.h"
#include "harness/result_table.h"
#include "harness/sweep.h"
#include "models/nearest.h"
#include "real/launch/delivery.h"
#include "real/launch/reader.h"
#include "real/verify/verification_mode.h"

namespace missive::harness {
namespace {

Json flat_parameters(const LaunchPoint& p) {
  Json flat = Json::object();
  flat["application"] = p.application;
  flat["warm_with"] = p.warm_with;
  flat["temperature"] = missive::to_string(p.temperature);
  flat["verifier"] = p.verifier;
  flat["verification"] = p.verification;
  flat["delivery"] = p.delivery;
  flat["handover"] = missive::to_string(p.hand_over);
  flat["image.block_size"] = p.block_size.count;
  flat["image.degree"] = p.degree;
  flat["image.pack_small_files"] = p.pack_small_files;
  if (const auto what = launch::reader_of(p.application)) {
    flat["reader.size"] = what->bytes;
    flat["reader.touched"] = what->touched;
  }
  flat["origin_link.rtt"] = to_seconds(p.origin_rtt);
  flat["origin_link.bandwidth"] = p.origin_bandwidth.bytes_per_second;
  return flat;
}

// A key that came later does not change the id of a point that has its default: results from before
// still name the same launches.
Json identity(const LaunchPoint& p) {
  Json flat = p.parameters;
  if (p.verification == "eager") flat.erase("verification");
  return flat;
}

// The synthetic application goes by a name that says its size and share.
std::string application_name(const Json& resolved, const char* key) {
  const std::string name = resolved[key];
  if (name != launch::kReader) return name;
  const Json& what = resolved["reader"];
  return launch::reader({parse_bytes(what["size"]).count, what["touched"]}).name;
}

// With the values of the point in their places.
Json resolved_at(Json effective, const SweepPoint& point) {
  for (const auto& [pointer, value] : point.values) effective[Json::json_pointer(pointer)] = value;
  return effective;
}

LaunchPoint read_point(const Json& effective, const SweepPoint& sweep) {
  const Json resolved = resolved_at(effective, sweep);
  LaunchPoint p;
  for (const auto& [pointer, value] : sweep.values) {
    if (pointer != "/temperature" && effective[Json::json_pointer(pointer)] != value)
      p.baseline = false;
    if (!p.label.empty()) p.label += ' ';
    p.label += value.is_string() ? value.get<std::string>() : value.dump();
  }
  p.application = application_name(resolved, "application");
  p.warm_with = application_name(resolved, "warm_with");
  p.temperature = parse_temperature(resolved["temperature"]);
  p.verifier = resolved["verifier"];
  p.verification = resolved["verification"];
  p.delivery = resolved["delivery"];
  p.hand_over = parse_hand_over(resolved["handover"]);
  p.block_size = parse_bytes(resolved["image"]["block_size"]);
  p.degree = resolved["image"]["degree"];
  p.pack_small_files = resolved["image"]["pack_small_files"];
  p.origin_rtt = parse_time(resolved["origin_link"]["rtt"]);
  p.origin_bandwidth = parse_rate(resolved["origin_link"]["bandwidth"]);
  p.parameters = flat_parameters(p);
  p.id = point_id(identity(p));
  if (p.label.empty()) p.label = p.application;
  return p;
}

// What the schema cannot say of the reader: its size is the only thing that can be wrong with it
// then, and stands beside its other keys or among the values of a sweep.
void require_possible_readers(const JsonSource& source, const Json& effective,
                              const std::vector<SweepPoint>& sweep) {
  const std::string pointer = "/reader/size";
  std::set<std::string> places;
  std::vector<Diagnostic> problems;
  for (const SweepPoint& point : sweep) {
    const Json resolved = resolved_at(effective, point);
    try {
      application_name(resolved, "application");
      application_name(resolved, "warm_with");
    } catch (const InputError& problem) {
      const Json values = effective.value("sweep", Json::object()).value(pointer, Json::array());
      const auto value =
          std::find(values.begin(), values.end(), resolved[Json::json_pointer(pointer)]);
      const std::string place =
          value == values.end()
              ? pointer
              : child(child("/sweep", pointer), static_cast<std::size_t>(value - values.begin()));
      if (places.insert(place).second) problems.push_back(source.at_value(place, problem.what()));
    }
  }
  if (!problems.empty()) throw InputErrors(std::move(problems));
}

// Two sweep values that mean the same ("64KiB", "65536B") would be one point twice.
std::vector<Diagnostic> repeated_points(const JsonSource& source, const Experiment& e) {
  std::set<std::string> ids;
  for (const LaunchPoint& point : e.points)
    if (!ids.insert(point.id).second)
      return {source.at_value("/sweep", fmt::format("two of its points are the same ('{}'); "
                                                    "remove one of the equal values",
                                                    point.label))};
  return {};
}

// Not every way of delivering files can go without the whole image.
std::vector<Diagnostic> impossible_points(const JsonSource& source, const Experiment& e) {
  for (const LaunchPoint& p : e.points)
    if (verify::verification_mode(p.verification).lazy && !launch::delivery(p.delivery).lazy)
      return {source.at_value(
          "", fmt::format("delivery {} needs the whole image before the start and cannot verify "
                          "lazily ('{}'); ask for eager, or for fuse or mmap",
                          p.delivery, p.label))};
  return {};
}

// Factors on parameters there are.
ParameterChoice read_parameters(const JsonSource& source, const Json& json) {
  ParameterChoice choice;
  choice.reference = json["from"] == "reference";
  if (json["scale"].empty()) return choice;
  std::vector<std::string> known;
  const ParameterSet reference = reference_parameters();
  for (const auto& [name, parameter] : reference.all()) known.push_back(name);
  std::vector<Diagnostic> problems;
  for (const auto& [name, factor] : json["scale"].items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string hint = did_you_mean(name, known);
      problems.push_back(source.at_key(
          child("/parameters/scale", name),
          fmt::format("no such parameter{}",
                      hint.empty() ? "; 'missive-sim parameters' lists them" : hint)));
    }
    choice.scale[name] = factor;
  }
  if (!problems.empty()) throw InputErrors(std::move(problems));
  return choice;
}

void read_launch(const JsonSource& source, Experiment& e) {
  e.native_repetitions = e.effective["native_repetitions"];
  e.warmup = e.effective["warmup"];
  e.idle_states = e.effective["idle_states"] == "on";
  const Json& tolerance = e.effective["tolerance"];
  e.tolerance = {tolerance["phase"], tolerance["total"], parse_time(tolerance["shortest_phase"])};
  e.parameters = read_parameters(source, e.effective["parameters"]);
  const std::vector<SweepPoint> sweep = expand_sweep(e.effective);
  require_possible_readers(source, e.effective, sweep);
  for (const SweepPoint& point : sweep) e.points.push_back(read_point(e.effective, point));
  if (auto diagnostics = repeated_points(source, e); !diagnostics.empty())
    throw InputErrors(std::move(diagnostics));
  if (auto diagnostics = impossible_points(source, e); !diagnostics.empty())
    throw InputErrors(std::move(diagnostics));
  for (const LaunchPoint& point : e.points)
    e.grid.push_back({point.id, point.label, point.parameters});
}

}  // namespace

ExperimentKind launch_kind() {
  ExperimentKind kind{"launch", read_launch, run_launch, result_table};
  kind.keep = [](Experiment& e, const std::vector<std::size_t>& places) {
    std::vector<LaunchPoint> points;
    for (const std::size_t place : places) points.push_back(e.points.at(place));
    e.points = std::move(points);
  };
  kind.summarise = summarise_launches;
  return kind;
}

}  // namespace missive::harness
