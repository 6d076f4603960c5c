#pragma once
// Parameters that a run was told to use, instead of this host's own: so that two hosts, or the
// points of a sweep that many machines share, compute with the same numbers.

#include <string>

#include "models/parameter.h"

namespace missive::harness {

// "reference": those that ship with the project (launch_calibrate.h). Anything else is a parameter
// file, models/parameter.h, and its provenance is kept as written. Throws InputErrors for a file
// that cannot be read or is wrong.
ParameterSet named_parameters(const std::string& name);

// SHA-256 over all values and where they come from: equal sets, equal digests.
std::string parameters_digest(const ParameterSet& parameters);

}  // namespace missive::harness
