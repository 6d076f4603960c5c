#pragma once
// An image straight from its vendor's origin: the bounded way out of every failure of a cache.

#include <chrono>
#include <string>

#include "models/plan.h"
#include "real/fd.h"
#include "real/zar/merkle.h"

namespace missive::launch {

struct OriginImage {
  Mapping memory;   // this process's own
  Amounts amounts;  // fetched
};

// All blocks, each checked against its name on arrival. Throws RunError or InputError: the origin
// failed or lied, or a request took longer than `deadline`.
OriginImage image_from_origin(const std::string& url, const zar::Digest& image,
                              const zar::TreeShape& shape, std::chrono::milliseconds deadline);

}  // namespace missive::launch
