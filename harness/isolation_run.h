#pragma once
// Runs an experiment of kind "isolation": every cell of every mechanism, in child processes, in
// random order, beside the model's answer.

#include "harness/launch_run.h"

namespace missive::harness {

// As run_launch(): a cell that fails is listed in summary.failures, a mechanism that does not run
// here in summary.not_available, with the reason and without any number. A claim of containment
// that an attack breaks is a failure too: it is a defect, not a measurement.
Result run_isolation(const Experiment& experiment, const RunOptions& options);

// The registered mechanisms, for `doctor`: group "isolation".
std::vector<DoctorEntry> isolation_doctor_entries();

}  // namespace missive::harness
