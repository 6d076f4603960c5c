#pragma once
// Runs an experiment of kind "verification": every algorithm over the same bytes in memory, in
// child processes, in random order, beside the model's answer.

#include <map>
#include <string>
#include <vector>

#include "harness/launch_run.h"
#include "harness/verification_experiment.h"
#include "models/statistics.h"

namespace missive::harness {

// What a point's processes measured, by metric.
struct VerificationData {
  std::size_t point = 0;
  std::string unavailable;  // why not; then there are no numbers
  std::map<std::string, Groups> groups;
};

// As run_launch(): an algorithm this host cannot run is listed in summary.not_available.
Result run_verification(const Experiment& experiment, const RunOptions& options);

// Fills in the metrics of `result` (as empty_result() made it) and its summary: times, and from
// them the ratios "x_read.G" (to reading on one core) and "x_sha1.G" (to SHA-1 in the same
// messages), of both worlds. `parameters` is empty for the backend "real".
void compare_verification(const Experiment& experiment, const std::vector<VerificationData>& data,
                          const ParameterSet& parameters, Result& result);

}  // namespace missive::harness
