#pragma once
// What a simulated launch is given beside the host's calibration: the application's own time, the
// link to the origin, and costs that an experiment asks to be others.

#include <map>
#include <string>
#include <vector>

#include "harness/experiment.h"
#include "models/parameter.h"

namespace missive::harness {

// "application.NAME.native_ready_s": the application's own time from fork to its ready mark.
std::string native_ready_name(const std::string& application);
// Its value: the median of native starts that no comparison uses, `seconds` in the order in which
// they were made.
Parameter native_ready_of(const std::string& application, const std::vector<double>& seconds);

// What if a cost were another: multiplies by name, and calls the value nobody's measurement. Names
// that are not among `parameters` are left out.
void scale(ParameterSet& parameters, const std::map<std::string, double>& factors);

// The link between client and origin, which the experiment file describes.
void set_origin_link(ParameterSet& parameters, const LaunchPoint& point);

}  // namespace missive::harness
