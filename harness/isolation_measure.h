#pragma once
// One cell of one mechanism, measured in a child process, as named values.

#include <cstdint>
#include <string>
#include <vector>

#include "harness/isolation_experiment.h"

namespace missive::harness {

// METRIC[.VARIANT][.X] of the cell's series (docs/metrics.md): "switch.round_trip.hot",
// "sharing.message.copy.4096", "execution.slowdown.hash"; of the cell security the attack's name.
struct CellValues {
  std::string metric, unit;  // "s", "B" or "1"
  std::vector<double> values;
  std::string note;  // security: verdict and evidence
};

struct CellMeasurement {
  std::vector<CellValues> metrics;
  double maker_pages = 0;  // that the process has to itself which makes the domains, at its start
  std::string stopped_by;  // a limit of the host that ended it early; or empty
  std::vector<std::string>
      broken_claims;  // security: what the mechanism promises and does not keep
};

// Of security: the verdicts as values.
inline constexpr double kContained = 1, kNotContained = 0;

// Whether more than one process has anything to add: counts and verdicts need no interval.
bool repeats(Cell cell);

// Runs in a child that is pinned to one CPU, its domains' services with it (but process-spin, which
// needs another one). Throws NotAvailable, RunError, Interrupted.
// `first`: of the processes that measure this cell; what is the same in all is measured in it only.
CellMeasurement measure_cell(const IsolationPoint& point, const Experiment& experiment,
                             std::uint64_t seed, bool first = true);

}  // namespace missive::harness
