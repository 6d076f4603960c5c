#include "real/launch/delivery.h"

#include <stdexcept>

#include "models/error.h"

namespace missive::launch {

UniqueFd Delivery::deliver_lazily(const zar::Image&, verify::BlockVerifier&, Delivered*) {
  throw std::logic_error("this delivery is not a lazy one");
}

std::uint64_t Delivery::put_ahead(const std::stop_token&) {
  throw std::logic_error("this delivery is not a lazy one");
}

const MappedProgram* Delivery::program(const Environment&) { return nullptr; }

const std::vector<DeliveryInfo>& deliveries() {
  static const std::vector<DeliveryInfo> all = {
      {"extract", "all files are copied into a tmpfs before the start", make_extract_delivery,
       extract_unavailable, false},
      {"fuse", "files are served from the verified mapping; launch runs are put ahead",
       make_fuse_delivery, fuse_unavailable, true},
      {"erofs", "the kernel's EROFS over the image's own pages, by loop devices",
       make_erofs_delivery, erofs_unavailable, false},
      {"mmap", "a static program is mapped from the image's own pages; no file system",
       make_mmap_delivery, mmap_unavailable, false, true, true},
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
