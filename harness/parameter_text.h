#pragma once
// Parameters as text: a table for people, JSON or CSV for programs.

#include <string>

#include "models/parameter.h"

namespace missive::harness {

// `format`: "table", "json" (a parameter file) or "csv".
std::string parameter_text(const ParameterSet& set, const std::string& format);

}  // namespace missive::harness
