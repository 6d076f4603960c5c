#include "harness/commonality_experiment.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string_view>

#include "harness/experiment_kind.h"
#include "harness/progress.h"
#include "models/error.h"
#include "models/statistics.h"
#include "real/data_dir.h"
#include "real/process.h"

namespace missive::harness {

namespace {

constexpr std::string_view kImage = "image ";  // units: blocks of whole images

CommonalitySettings read_commonality(const Json& effective) {
  CommonalitySettings s;
  s.lists = effective["lists"];
  s.orders = effective["repetitions"];
  s.tolerance = effective["tolerance"];
  for (const std::string content : effective["contents"])
    for (const std::string units : effective["units"]) {
      const bool image = units.starts_with(kImage);
      const bool block = units != "cdc" && units != "strings" && !image;
      if (content == "opened" && (units == "cdc" || image)) continue;
      if (content == "touched" && !block) continue;
      Json p = Json::object();
      p["lists"] = s.lists, p["content"] = content, p["units"] = units;
      const std::string id = point_id(p);
      s.points.push_back({id, content, units, std::move(p)});
    }
  if (s.points.empty())
    throw InputError("/units: none of them fits the contents; add a block size, like \"64KiB\"");
  return s;
}

std::vector<commonality::Start> starts_of(const commonality::BlockLists& lists) {
  std::vector<commonality::Start> starts;
  for (const auto& application : lists.applications) {
    const auto file = data_dir() / "traces/launch" / (application.name + ".trace.gz");
    if (std::filesystem::exists(file))
      starts.push_back({application.name, application.family, launch::read_trace(file)});
  }
  return starts;
}

commonality::Collection collect(const commonality::BlockLists& lists,
                                const std::vector<commonality::Start>& starts,
                                const CommonalityPoint& p) {
  if (p.content == "opened") return commonality::opened_content(starts, p.units);
  if (p.content == "touched") return commonality::touched_content(starts, p.units);
  if (p.units.starts_with(kImage))
    return commonality::image_content(lists, p.units.substr(kImage.size()));
  return commonality::whole_content(lists, p.units);
}

void summarise(Result& result) {
  std::vector<double> errors;
  bool within = true;
  for (const PointResult& p : result.points)
    for (const Metric& m : p.metrics)
      if (m.within_tolerance) {
        errors.push_back(std::abs(*m.relative_error));
        within = within && *m.within_tolerance;
      }
  Summary& s = result.summary;
  summarise_errors(errors, s);
  if (errors.empty()) return;
  s.amounts_equal = s.amount_differences.empty();
  s.within_tolerance = within;
}

}  // namespace

const CommonalitySettings& commonality_settings(const Experiment& experiment) {
  const auto* s = dynamic_cast<const CommonalitySettings*>(experiment.settings.get());
  if (s == nullptr) throw std::logic_error("not an experiment of kind commonality");
  return *s;
}

std::filesystem::path commonality_lists(const std::string& name) {
  if (name == "sample") return data_dir() / "traces/commonality/sample.lists.gz";
  if (name == "versions") return data_dir() / "traces/commonality/versions.lists.gz";
  if (name == "all") return launch::home() / "commonality/applications.lists.gz";
  return name;
}

Result run_commonality(const Experiment& e, const RunOptions& options) {
  const CommonalitySettings& s = commonality_settings(e);
  const commonality::BlockLists lists = commonality::read_block_lists(commonality_lists(s.lists));
  const std::vector<commonality::Start> starts = starts_of(lists);
  Result result = empty_result(e);
  try {
    for (std::size_t i = 0; i < s.points.size(); ++i) {
      check_interrupt();
      if (options.progress) options.progress->update(i, s.points.size(), "counting");
      const CommonalityPoint& p = s.points[i];
      try {
        if (p.content != "whole" && starts.size() < 2) {
          result.summary.not_available.push_back(
              p.content + ": fewer than two of these applications have a launch trace");
          continue;
        }
        const commonality::Collection c = collect(lists, starts, p);
        std::vector<std::string> differences;
        result.points[i].metrics = count_commonality(c, e, differences);
        for (const std::string& d : differences)
          result.summary.amount_differences.push_back(p.content + " " + p.units + ": " + d);
        for (const Metric& m : result.points[i].metrics) {
          const std::string& id = result.points[i].id;
          if (m.simulated)
            result.observations.push_back({id, "sim", m.phase, m.name, m.unit, 0, *m.simulated});
          if (m.measured)
            result.observations.push_back(
                {id, "real", m.phase, m.name, m.unit, 0, m.measured->median});
        }
      } catch (const InputError& error) {
        result.summary.failures.push_back(p.content + " " + p.units + ": " + error.what());
      }
      summarise(result);
      if (options.checkpoint) options.checkpoint(result);
    }
  } catch (const Interrupted&) {
    result.summary.interrupted = true;
  }
  return result;
}

ExperimentKind commonality_kind() {
  ExperimentKind kind;
  kind.name = "commonality";
  kind.read = [](const JsonSource&, Experiment& e) {
    auto settings = std::make_shared<CommonalitySettings>(read_commonality(e.effective));
    for (const CommonalityPoint& p : settings->points)
      e.grid.push_back({p.id, p.content + " " + p.units, p.parameters});
    e.settings = std::move(settings);
  };
  kind.run = run_commonality;
  kind.table = commonality_table;
  kind.answer = commonality_answer;
  return kind;
}

}  // namespace missive::harness
