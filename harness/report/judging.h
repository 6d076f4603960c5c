#pragma once
// How the predictions of a run are judged, one by one and together, in words. The rules themselves
// are those of each kind (compare_metrics.h, isolation_compare.h, verification_compare.cpp,
// structure_run.cpp, commonality_count.cpp); here they are told from the tolerance that the
// experiment gives and from what came out.

#include <optional>
#include <string>

#include "harness/result.h"

namespace missive::harness {

// The tolerance of a single prediction of `phase` ("total": of a whole launch). Nothing when the
// result does not say.
std::optional<double> allowed_error(const Result& result, const std::string& phase);

// Judged times: both worlds answered, and the kind judges them.
bool is_judged_time(const Metric& metric);

// What is judged, by which tolerance, and what decides about the run; empty when nothing was.
std::string judged_in_words(const Result& result);

// For the verdict: "median error 12.5 % of a launch (10.0 % allowed), 13.6 % of a phase (20.0 %
// allowed)". Empty when the tolerance does not say.
std::string decisive_errors(const Result& result);

}  // namespace missive::harness
