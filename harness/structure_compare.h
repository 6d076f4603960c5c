#pragma once
// What of an image is counted, beside what is predicted of it.

#include <map>
#include <string>

#include "harness/result.h"
#include "harness/structure_experiment.h"
#include "models/structure.h"

namespace missive::harness {

// Puts the two answers of a point side by side: exact predictions have to be equal, others near;
// drawn ones, among the draws.
void compare_structure(const StructurePoint& point, const StructureSettings& settings,
                       const StructurePrediction* predicted,
                       const std::map<std::string, double>& counted, double content,
                       PointResult& result);
void summarise_structure(const StructureSettings& settings, Result& result);

}  // namespace missive::harness
