#pragma once
// Runs an experiment of kind "structure": images are planned, or built where their blocks have to
// be known, and counted; the model predicts the same from the files' sizes. Nothing is timed.

#include "harness/launch_run.h"
#include "harness/structure_experiment.h"

namespace missive::harness {

// As run_launch(): a tree this host cannot have is listed in summary.not_available. What the model
// of updates learnt from these trees is left in the results as edits.gz
// (harness/structure_edits.h).
Result run_structure(const Experiment& experiment, const RunOptions& options);

}  // namespace missive::harness
