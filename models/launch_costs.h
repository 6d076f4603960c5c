#pragma once
// Cost models of a launch. The table in launch_costs.cpp is the whole of it: one entry per kind of
// work, with its equation's terms and the micro-measurement (real/measure/) that calibrates them.

#include <vector>

#include "models/cost.h"

namespace missive {

const std::vector<CostModel>& launch_costs();

}  // namespace missive
