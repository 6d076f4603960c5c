#pragma once
// What the files of the structure model share. Not for others.

#include <cstdint>
#include <utility>

#include "models/structure.h"

namespace missive::structure {

inline constexpr std::uint64_t kPage = 4096, kDigest = 32, kSlot = 8, kSlots = kPage / kSlot;

inline std::uint64_t up(std::uint64_t value, std::uint64_t to) {
  return (value + to - 1) / to * to;
}

// How often what is drawn is drawn; one of the numbers whose interval is exact (mean_of()).
inline constexpr std::uint64_t kDraws = 39;

// Bytes in front of the content, for so many items.
std::uint64_t metadata_of(const StructureFacts& facts, const StructureDesign& design, double items);
// Items of an image.
double items_of(const StructureFacts& facts, const StructureDesign& design);

}  // namespace missive::structure
