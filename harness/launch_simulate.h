#pragma once
// The simulated half of a launch experiment.

#include <map>
#include <string>
#include <vector>

#include "harness/compare_metrics.h"
#include "harness/experiment.h"
#include "models/parameter.h"

namespace missive::harness {

// What the launch of one point is simulated with: all parameters, of them the native start of its
// application, and its link to the origin.
ParameterSet parameters_for(const ParameterSet& all, const LaunchPoint& point);

// Predicts every point, `jobs` at a time, into its entry of `data`; gives the simulator's settings.
// Throws NotAvailable for an image of which no facts are known.
std::map<std::string, std::string> simulate_launches(const Experiment& experiment,
                                                     const ParameterSet& parameters, int jobs,
                                                     std::vector<PointData>& data);

}  // namespace missive::harness
