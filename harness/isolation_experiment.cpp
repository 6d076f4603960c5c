#include "harness/isolation_experiment.h"

#include <algorithm>
#include <stdexcept>

#include "harness/experiment_kind.h"
#include "harness/isolation_compare.h"
#include "harness/isolation_run.h"
#include "harness/isolation_table.h"
#include "harness/published_files.h"
#include "models/error.h"
#include "models/nearest.h"
#include "real/domains/domain.h"

namespace missive::harness {

namespace {

// What a cell depends on beside the mechanism, sizes in bytes.
Json parameters_of(const std::string& mechanism, Cell cell, const IsolationSettings& s) {
  Json p = Json::object();
  p["mechanism"] = mechanism;
  p["cell"] = to_string(cell);
  if (cell == Cell::execution) {
    p["kernels"] = s.kernels;
    p["request"] = s.request.count;
    if (s.instructions) p["instructions"] = true;
  }
  if (cell == Cell::sharing) {
    p["sizes"] = Json::array();
    for (const Bytes size : s.sizes) p["sizes"].push_back(size.count);
  }
  if (cell == Cell::switching) {
    p["chain"] = s.chain;
    p["round_robin"] = s.round_robin;
  }
  if (cell == Cell::creation) p["creators"] = s.creators;
  if (cell == Cell::density) p["domains"] = s.domains_for(mechanism);
  return p;
}

}  // namespace

std::string to_string(Cell cell) {
  switch (cell) {
    case Cell::switching:
      return "switch";
    case Cell::creation:
      return "creation";
    case Cell::execution:
      return "execution";
    case Cell::sharing:
      return "sharing";
    case Cell::density:
      return "density";
    case Cell::security:
      return "security";
  }
  return "?";
}

Cell parse_cell(const std::string& text) {
  std::vector<std::string> names;
  for (const Cell cell : kCells) {
    names.push_back(to_string(cell));
    if (names.back() == text) return cell;
  }
  throw InputError("no cell '" + text + "'" + did_you_mean(text, names));
}

IsolationSettings read_isolation(const Json& effective) {
  IsolationSettings s;
  if (effective["mechanisms"].is_string())
    for (const domains::Mechanism& m : domains::mechanisms()) s.mechanisms.push_back(m.name);
  else
    s.mechanisms = effective["mechanisms"].get<std::vector<std::string>>();
  for (const Json& cell : effective["cells"]) s.cells.push_back(parse_cell(cell));
  s.kernels = effective["kernels"].get<std::vector<std::string>>();
  for (const Json& size : effective["sizes"]) s.sizes.push_back(parse_bytes(size));
  s.request = parse_bytes(effective["request"]);
  s.domains = effective["domains"];
  s.domains_of = effective["domains_of"].get<std::map<std::string, std::uint64_t>>();
  s.instructions = effective["instructions"];
  s.chain = effective["chain"].get<std::vector<std::uint64_t>>();
  s.round_robin = effective["round_robin"].get<std::vector<std::uint64_t>>();
  s.creators = effective["creators"].get<std::vector<std::uint64_t>>();
  s.processes = effective["processes"];
  s.median_tolerance = effective["tolerance"]["median"];
  s.most_tolerance = effective["tolerance"]["most"];
  for (const std::string& mechanism : s.mechanisms)
    for (const Cell cell : s.cells) {
      Json parameters = parameters_of(mechanism, cell, s);
      const std::string id = point_id(parameters);
      s.points.push_back(
          {id, mechanism + ' ' + to_string(cell), mechanism, cell, std::move(parameters)});
    }
  return s;
}

const IsolationSettings& isolation_settings(const Experiment& experiment) {
  const auto* settings = dynamic_cast<const IsolationSettings*>(experiment.settings.get());
  if (settings == nullptr) throw std::logic_error("not an experiment of kind isolation");
  return *settings;
}

namespace {

// Names in "domains_of" are registered mechanisms; those that are not asked for wait for --set.
std::vector<Diagnostic> unknown_mechanisms(const JsonSource& source, const Json& effective) {
  std::vector<std::string> names;
  for (const domains::Mechanism& m : domains::mechanisms()) names.push_back(m.name);
  std::vector<Diagnostic> problems;
  for (const auto& [name, domains] : effective["domains_of"].items())
    if (std::find(names.begin(), names.end(), name) == names.end())
      problems.push_back(source.at_key("/domains_of/" + name, "no isolation mechanism '" + name +
                                                                  "'" + did_you_mean(name, names)));
  return problems;
}

}  // namespace

ExperimentKind isolation_kind() {
  ExperimentKind kind;
  kind.name = "isolation";
  kind.read = [](const JsonSource& source, Experiment& e) {
    if (auto problems = unknown_mechanisms(source, e.effective); !problems.empty())
      throw InputErrors(std::move(problems));
    auto settings = std::make_shared<IsolationSettings>(read_isolation(e.effective));
    for (const IsolationPoint& point : settings->points)
      e.grid.push_back({point.id, point.label, point.parameters});
    e.settings = std::move(settings);
  };
  kind.run = run_isolation;
  kind.table = [](const Result& result, const Experiment& e) {
    return isolation_table(result, e, load_published());
  };
  kind.answer = [](const Result& result, const Experiment& e) {
    return isolation_answer(result, e, load_published());
  };
  kind.keep = [](Experiment& e, const std::vector<std::size_t>& places) {
    auto settings = std::make_shared<IsolationSettings>(isolation_settings(e));
    std::vector<IsolationPoint> points;
    for (const std::size_t place : places) points.push_back(settings->points.at(place));
    settings->points = std::move(points);
    // A mechanism without a point need not be asked whether it runs here.
    std::erase_if(settings->mechanisms, [&](const std::string& mechanism) {
      return std::none_of(
          settings->points.begin(), settings->points.end(),
          [&](const IsolationPoint& point) { return point.mechanism == mechanism; });
    });
    e.settings = std::move(settings);
  };
  kind.summarise = summarise_isolation;
  return kind;
}

}  // namespace missive::harness
