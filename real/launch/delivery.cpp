#include "real/launch/delivery.h"

#include "models/error.h"

namespace missive::launch {

const std::vector<DeliveryInfo>& deliveries() {
  static const std::vector<DeliveryInfo> all = {
      {"extract", "all files are copied into a tmpfs before the start", make_extract_delivery,
       extract_unavailable},
      {"fuse", "files are served from the verified mapping; launch runs are put ahead",
       make_fuse_delivery, fuse_unavailable},
  };
  return all;
}

const DeliveryInfo& delivery(const std::string& name) {
  std::string known;
  for (const DeliveryInfo& each : deliveries()) {
    if (each.name == name) return each;
    known += (known.empty() ? "" : ", ") + each.name;
  }
  throw InputError("unknown delivery \"" + name.substr(0, 64) + "\" (known: " + known + ")");
}

}  // namespace missive::launch
