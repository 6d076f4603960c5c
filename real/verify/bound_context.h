#pragma once
// What a MAC of this project covers beside the bytes themselves, so that a tag for one image says
// nothing about another (docs/zarfile-format.md, "Tag record").

#include <cstddef>
#include <vector>

#include "real/verify/verifier.h"

namespace missive::verify {

// Name, shape, version and application, zero-padded to a multiple of 16.
std::vector<std::byte> bound_context(const Expected& expected);

}  // namespace missive::verify
