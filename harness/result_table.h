#pragma once
// The table on stdout: what a researcher wants on one or two screens. For every temperature the
// phases of one launch (the experiment's own choice of everything else), then one line per point,
// then the summary. At most 110 columns. Everything else is in the files.

#include <string>

#include "harness/experiment.h"
#include "harness/result.h"

namespace missive::harness {

std::string result_table(const Result& result, const Experiment& experiment);

// "12.3 ms", "-0.50 ms", "-" for nothing.
std::string seconds_text(std::optional<double> seconds);

}  // namespace missive::harness
