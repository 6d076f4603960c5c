#pragma once
// This host's parameters of models/verification.h, kept beside the launch parameters in a file of
// their own.

#include <filesystem>

#include "harness/launch_calibrate.h"
#include "models/parameter.h"

namespace missive::harness {

std::filesystem::path verification_parameters_file();

// Throws Interrupted, RunError.
ParameterSet calibrate_verification(const CalibrateOptions& options);

// The host's file when it has every parameter this program's micro-measurements give here;
// otherwise calibrates and writes it, atomically.
ParameterSet load_or_calibrate_verification(const CalibrateOptions& options);

}  // namespace missive::harness
