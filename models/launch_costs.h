#pragma once
// The cost models a launch needs, as a table. Register a further one with a line in it.

#include <vector>

#include "models/cost.h"

namespace missive {

const std::vector<CostModel>& launch_costs();

}  // namespace missive
