#pragma once
// This host's parameters of the isolation models (models/isolation.h): primitives, measured alone,
// and never a domain. Kept beside the launch parameters, in a file of their own.

#include <filesystem>

#include "harness/launch_calibrate.h"
#include "models/parameter.h"

namespace missive::harness {

std::filesystem::path isolation_parameters_file();

// Throws Interrupted, RunError.
ParameterSet calibrate_isolation(const CalibrateOptions& options);
void save_isolation_parameters(const ParameterSet& parameters);

// The host's file when it has every parameter this program's micro-measurements give here;
// otherwise calibrates and writes it, atomically.
ParameterSet load_or_calibrate_isolation(const CalibrateOptions& options);

}  // namespace missive::harness
