#pragma once
// Which blocks of an image a traced start touches: what a lazy fetch would ask for, and how
// placement spreads it.

#include <cstdint>
#include <vector>

#include "real/zar/image.h"

namespace missive::zar {

struct Touched {
  std::vector<std::uint64_t> blocks;  // each once, in the order of first touch
  std::uint64_t pages = 0;            // distinct pages of files, as far as the image holds them
  std::uint64_t stretches = 0;        // of blocks that follow each other, in ascending order
};

// `block_size`: any power of two of at least a page, not only the image's own.
Touched touched_blocks(const Image& image, std::uint64_t block_size);

}  // namespace missive::zar
