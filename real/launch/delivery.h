#pragma once
// Delivery: how the files of a verified image come to be files of a picoprocess. Both methods give
// a detached, read-only mount that Picoprocess::start() moves into place. Adding one: its own file
// and one line in delivery.cpp.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "real/fd.h"
#include "real/zar/image.h"

namespace missive::launch {

struct Delivered {
  std::uint64_t files = 0;  // regular files the application can open
  std::uint64_t bytes =
      0;  // extract: content copied; fuse: bytes of launch runs read ahead into the page cache
};

// Requests a FUSE server answered, by kind; zero for other methods. Not compared exactly: the
// application decides.
struct Served {
  std::uint64_t lookups = 0, reads = 0, bytes_read = 0, others = 0;
};

class Delivery {
 public:
  virtual ~Delivery() = default;  // unmounts, ends the server
  // Returns the detached mount. `image` must outlive the Delivery.
  virtual UniqueFd deliver(const zar::Image& image, Delivered* delivered) = 0;
  virtual Served served() const { return {}; }
};

struct DeliveryInfo {
  std::string name;  // JSON value: "extract", "fuse"
  std::string what;
  std::unique_ptr<Delivery> (*make)();
  // Empty when this host can, otherwise why not.
  std::string (*unavailable)();
};
const std::vector<DeliveryInfo>& deliveries();

}  // namespace missive::launch
