#pragma once
// The verification experiment on stdout: every algorithm beside the bound, the seed's figures, and
// the two questions answered.

#include <string>

#include "harness/answer.h"
#include "harness/experiment.h"
#include "harness/result.h"

namespace missive::harness {

std::string verification_table(const Result& result, const Experiment& experiment);
// The quickest sound MAC and hash, beside reading and beside Missive's two.
Answer verification_answer(const Result& result, const Experiment& experiment);

}  // namespace missive::harness
