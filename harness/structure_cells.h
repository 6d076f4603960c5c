#pragma once
// What a number of a structure experiment looks like in a line of text.

#include <optional>
#include <string>

#include "harness/result.h"

namespace missive::harness {

// What is counted, or else predicted.
std::optional<double> best_of(const Metric* metric);

// Of unit "B" or "1".
std::string amount(double value, const std::string& unit);

// "12.5 MiB =" equal as predicted, "12.5 MiB +1.2%" the prediction's error, "~" when the
// counted one lies among the draws all the same, "!" when not.
std::string structure_cell(const Metric* metric, double tolerance);

// The prediction alone, as a share of what was counted: "+1.2% [-3 +4]", error and interval of nine
// tenths in per cent. "-" where there is none.
std::string prediction_cell(const Metric* metric, double tolerance);

}  // namespace missive::harness
