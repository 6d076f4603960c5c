#include "real/launch/delivery.h"

#include <stdexcept>

#include "models/nearest.h"

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
      {.name = "extract",
       .what = "all files are copied into a tmpfs before the start",
       .make = make_extract_delivery,
       .unavailable = extract_unavailable},
      {.name = "fuse",
       .what = "files are served from the verified mapping; launch runs are put ahead",
       .make = make_fuse_delivery,
       .unavailable = fuse_unavailable,
       .lazy = true},
      {.name = "erofs",
       .what = "the kernel's EROFS over the image's own pages, by loop devices",
       .make = make_erofs_delivery,
       .unavailable = erofs_unavailable},
      {.name = "mmap",
       .what = "a static program is mapped from the image's own pages; no file system",
       .make = make_mmap_delivery,
       .unavailable = mmap_unavailable,
       .lazy = true,
       .lazily_unavailable = mmap_lazily_unavailable,
       .shares_pages = true,
       .program_only = true},
  };
  return all;
}

std::string DeliveryInfo::unavailable_for(bool lazily) const {
  std::string why = unavailable();
  if (why.empty() && lazily && lazily_unavailable != nullptr) why = lazily_unavailable();
  return why;
}

const DeliveryInfo& delivery(const std::string& name) {
  return named(deliveries(), name, "delivery");
}

}  // namespace missive::launch
