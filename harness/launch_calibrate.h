#pragma once
// This host's parameters: measured by micro-measurements, fitted, kept outside the source tree.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "models/parameter.h"

namespace missive::harness {

struct CalibrateOptions {
  int processes = 6;    // groups of the bootstrap
  int repetitions = 3;  // of every micro-measurement in each process
  std::uint64_t seed = 1;
  std::function<void(const std::string&)> progress = [](const std::string&) {};
};

// home()/parameters/HOST.json; HOST is a hash over CPU kind, cores and kernel, so that a file is
// never taken for another host's.
std::filesystem::path host_parameters_file();

// Runs every micro-measurement and fits it. Throws NotAvailable when this host cannot run them,
// Interrupted.
ParameterSet calibrate_host(const CalibrateOptions& options);

// The host's file when it is there, else calibrates and writes it, atomically.
ParameterSet load_or_calibrate(const CalibrateOptions& options);
void save_host_parameters(const ParameterSet& parameters);

// Parameters calibrated on another machine, shipped for hosts that cannot calibrate: provenance
// "assumed", and says so.
ParameterSet reference_parameters();

}  // namespace missive::harness
