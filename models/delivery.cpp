#include "models/delivery.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "models/delivery/list.h"

namespace missive {

const std::vector<DeliveryModel>& delivery_models() {
  static const std::vector<DeliveryModel> all = {
      extract_delivery(),
      fuse_delivery(),
      erofs_delivery(),
      mmap_delivery(),
  };
  return all;
}

const DeliveryModel& delivery_model(const std::string& name) {
  const auto found = std::ranges::find(delivery_models(), name, &DeliveryModel::name);
  if (found != delivery_models().end()) return *found;
  std::vector<std::string> names;
  for (const DeliveryModel& each : delivery_models()) names.push_back(each.name);
  throw std::invalid_argument(fmt::format("launch: no model for delivery \"{}\"; there are {}",
                                          name, fmt::join(names, ", ")));
}

}  // namespace missive
