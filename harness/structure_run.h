#pragma once
// Runs an experiment of kind "structure": images are planned, or built where their blocks have to
// be known, and counted; the model predicts the same from the files' sizes. Nothing is timed.

#include <map>
#include <string>

#include "harness/launch_run.h"
#include "harness/structure_experiment.h"

namespace missive::harness {

// As run_launch(): a tree this host cannot have is listed in summary.not_available.
Result run_structure(const Experiment& experiment, const RunOptions& options);

// Begins the note of a metric whose prediction was drawn; what nine draws in ten lie between
// follows.
inline constexpr const char* kDrawnNote = "expectation; 90 % of draws: ";

// Puts the two answers of a point side by side: exact predictions have to be equal, others near;
// drawn ones, among the draws.
void compare_structure(const StructurePoint& point, const StructureSettings& settings,
                       const StructurePrediction* predicted,
                       const std::map<std::string, double>& counted, double content,
                       PointResult& result);
void summarise_structure(const StructureSettings& settings, Result& result);

}  // namespace missive::harness
