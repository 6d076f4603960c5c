#pragma once
// Whether a content is what its name says.

#include <span>

#include "real/cache/index_record.h"

namespace missive::cache {

// A block hashes to its name; a recipe parses, and computes to the image's.
bool is_what_it_says(const Content& content, std::span<const std::byte> bytes);

}  // namespace missive::cache
