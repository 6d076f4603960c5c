#pragma once
// The structure experiments on stdout: one line for each design, the numbers its question is about,
// and one line that answers it for each image.

#include <string>

#include "harness/answer.h"
#include "harness/experiment.h"
#include "harness/result.h"

namespace missive::harness {

std::string structure_table(const Result& result, const Experiment& experiment);
// Which design is best for how many images, and what the others cost more.
Answer structure_answer(const Result& result, const Experiment& experiment);

}  // namespace missive::harness
