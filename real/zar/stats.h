#pragma once
// What an image's bytes are, and what its tree costs: the raw numbers of the block-size, packing
// and degree experiments.

#include <array>
#include <cstdint>

#include "real/zar/image.h"
#include "real/zar/layout.h"

namespace missive::zar {

struct ImageStats {
  std::uint64_t length = 0;
  // These three add up to the length.
  std::uint64_t content = 0;   // bytes that files hold; hard links counted once
  std::uint64_t metadata = 0;  // header and all sections in front
  std::uint64_t padding = 0;   // the rest
  std::array<std::uint64_t, kSections - 1> sections{};  // bytes of each but content

  std::uint64_t units = 0, recipe = 0;  // the recipe's bytes on the wire
  std::uint64_t nodes = 0, proof = 0;   // inner nodes; bytes that prove one unit
  std::uint64_t files = 0, directories = 0, symlinks = 0;
  std::uint64_t hard_links = 0;           // names beyond a file's first
  std::uint64_t sparse = 0, partial = 0;  // files
  std::uint64_t attributes = 0;           // entries that have some
  std::uint64_t absent = 0, runs = 0, run_pages = 0;
  std::uint64_t mappable = 0, copied = 0;  // content bytes on pages of their own; in shared pages
};

// `units`: of the image's recipe; for blocks 0 will do, their number follows from the length.
ImageStats stats_of(const Image& image, std::uint64_t units = 0);

}  // namespace missive::zar
