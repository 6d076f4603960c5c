#pragma once
// The part of an experiment of kind "isolation" that a launch does not have: which mechanisms are
// asked for what. Its points are the pairs of mechanism and cell.

#include <map>
#include <string>
#include <vector>

#include "harness/experiment.h"
#include "models/quantity.h"

namespace missive::harness {

// A column of the comparison (docs/metrics.md defines what each measures).
enum class Cell { switching, creation, execution, sharing, density, security };
inline constexpr Cell kCells[] = {Cell::switching, Cell::creation, Cell::execution,
                                  Cell::sharing,   Cell::density,  Cell::security};
std::string to_string(Cell cell);          // "switch", "creation" ...
Cell parse_cell(const std::string& text);  // throws InputError

struct IsolationPoint {
  std::string id;     // 8 hexadecimal digits of a hash over `parameters`
  std::string label;  // "pie switch"
  std::string mechanism;
  Cell cell = Cell::switching;
  Json parameters;  // as in result.json
};

struct IsolationSettings : KindSettings {
  std::vector<std::string> mechanisms, kernels;
  std::vector<Cell> cells;
  std::vector<Bytes> sizes;
  Bytes request{};  // of a kernel in the cell execution
  std::uint64_t domains = 1;
  std::map<std::string, std::uint64_t> domains_of;  // by mechanism, instead of `domains`
  bool instructions = false;
  std::vector<std::uint64_t> chain, round_robin, creators;
  int processes = 1;
  double median_tolerance = 0, most_tolerance = 0;
  std::vector<IsolationPoint> points;  // mechanism by mechanism, cells in the file's order

  std::uint64_t domains_for(const std::string& mechanism) const {
    const auto own = domains_of.find(mechanism);
    return own == domains_of.end() ? domains : own->second;
  }
};

// `effective` is a checked file of that kind with all defaults.
IsolationSettings read_isolation(const Json& effective);

// Those of an experiment of that kind. Throws std::logic_error for another.
const IsolationSettings& isolation_settings(const Experiment& experiment);

}  // namespace missive::harness
