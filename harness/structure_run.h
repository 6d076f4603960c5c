#pragma once
// Runs an experiment of kind "structure": images are planned, or built where their blocks have to
// be known, and counted; the model predicts the same from the files' sizes. Nothing is timed.

#include "harness/launch_run.h"
#include "harness/structure_experiment.h"

namespace missive::harness {

// As run_launch(): a tree this host cannot have is listed in summary.not_available.
Result run_structure(const Experiment& experiment, const RunOptions& options);

}  // namespace missive::harness
