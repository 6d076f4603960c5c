#pragma once
// The last lines of the table of an experiment of kind "structure": how good the model was.

#include <string>

#include "harness/result.h"
#include "harness/structure_experiment.h"

namespace missive::harness {

std::string structure_summary(const Result& result, const StructureSettings& settings);

// Whether a prediction is right only because its interval is wide.
bool spread_needed(const Metric& metric, double tolerance);

// Whether it states an interval, and what was counted lies in it.
bool in_interval(const Metric& metric);

// Of predictions that state an interval: how many there are, and how many counted numbers lie in
// theirs. Images that the model was fitted on do not count.
struct Coverage {
  std::size_t stated = 0, held = 0;
};
Coverage coverage_of(const Result& result, const StructureSettings& settings,
                     const std::string& name);

}  // namespace missive::harness
