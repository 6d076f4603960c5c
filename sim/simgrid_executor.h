#pragma once
// What the model predicts: a plan and parameters in, records out, by SimGrid.
//
// Launcher, cache and application run on one machine with `machine.cores` cores (parameter; 2 when
// not given), the origin on a machine of its own with as many, unless SimOptions says that it
// shares the first (the real run on loopback). A step does its demands one after the other on one
// core, then its transfer: latency + bytes / bandwidth of its link, shared fairly with the other
// transfers in the same direction. Steps of the origin send down the link, all others up; a
// direction does not slow the other.
//
// Parameters read: those of the demands' cost models; machine.cores; link.<name>.latency_s and
// link.<name>.bandwidth_bytes_per_s for each link.
//
// Times are exact to 1 ps while nothing contends, and within a few ps otherwise (docs/models.md).
// Same plan, same parameters: byte-identical result. Each call forks (1 to 3 ms, sim/isolated.h).

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "models/parameter.h"
#include "models/plan.h"

namespace missive {

struct SimOptions {
  bool origin_shares_machine = false;
  bool trace = false;  // fill SimulationResult::trace
  std::chrono::milliseconds timeout{60'000};
};

struct SimulationResult {
  std::vector<Record> records;                  // in the order of the plan's steps
  std::set<std::string> parameters_used;        // names
  std::map<std::string, std::string> settings;  // of the engine, with its version
  std::string trace;                            // see trace_text()
};

// Throws InputError for a missing or impossible parameter (before anything is started), RunError
// when the engine fails, deadlocks or passes the timeout, Interrupted, and std::logic_error for a
// plan that check() refuses.
SimulationResult simulate(const Plan& plan, const ParameterSet& parameters,
                          const SimOptions& options = {});

// A line "[seconds with 12 decimals] place step start|end" for each event, in the order of time;
// made to be kept as a golden file.
std::string trace_text(const std::vector<Record>& records);

}  // namespace missive
