#pragma once
// What the two files of the structure model share: structure.cpp lays one image out,
// structure_update.cpp says what of it another image lacks. Not for others.

#include <cstdint>
#include <vector>

#include "models/structure.h"

namespace missive::structure {

inline constexpr std::uint64_t kPage = 4096, kDigest = 32, kSlot = 8, kSlots = kPage / kSlot;

inline std::uint64_t up(std::uint64_t value, std::uint64_t to) {
  return (value + to - 1) / to * to;
}

// Items of an image by class, as packing leaves them.
struct Items {
  double small_pages = 0;  // bundles
  double small_items = 0;
  std::uint64_t medium_pages = 0, mediums = 0;  // below a block, on pages
  std::vector<std::uint64_t> large;             // on blocks
  bool exact = false;
};

// Bytes of the image that another image has not, wherever they lie; the first `start` of it are
// metadata in whole blocks.
double network_bytes(const StructureFacts& facts, const StructureDesign& design, const Items& items,
                     std::uint64_t start, const BlockSurvival* survival);

}  // namespace missive::structure
