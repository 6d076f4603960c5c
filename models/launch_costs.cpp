#include "models/launch_costs.h"

namespace missive {

const std::vector<CostModel>& launch_costs() {
  static const std::vector<CostModel> table;
  return table;
}

}  // namespace missive
