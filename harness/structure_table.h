#pragma once
// The structure experiments on stdout: one line for each design, the numbers its question is about,
// and one line that answers it for each image.

#include <string>

#include "harness/experiment.h"
#include "harness/result.h"

namespace missive::harness {

std::string structure_table(const Result& result, const Experiment& experiment);

}  // namespace missive::harness
