#pragma once
// Placement: where in the image each item lies. One file for each choice, in placement/.
//
// Whatever the choice: items do not overlap, start on a page (or a block, when the item says so),
// and lie behind `start`, which is a block boundary.

#include <cstdint>
#include <span>
#include <vector>

#include "real/zar/digest.h"
#include "real/zar/packing.h"

namespace missive::zar {

struct PlacementTask {
  const Packed& packed;
  std::span<const Content> contents;
  // SHA-256 of each item: its members at their places, zeros between. Empty unless the choice wants
  // them.
  std::span<const Digest> digests;
  std::uint64_t start = 0;  // of the content section
  std::uint32_t block_size = 0;

  std::uint64_t alignment(const Packed::Item& item) const;  // a page or a block
};

struct Placed {
  std::vector<std::uint64_t> offsets;              // of each item, in the image
  std::uint64_t end = 0;                           // behind the last one
  std::uint64_t scrap_items = 0, scrap_bytes = 0;  // that found no place where they wanted one
};

struct PlacementChoice {
  std::uint8_t id;
  const char* name;
  const char* what;
  bool wants_digests;
  Placed (*place)(const PlacementTask& task);
};
const std::vector<const PlacementChoice*>& placements();

extern const PlacementChoice kPlacementInOrder, kPlacementGreedy, kPlacementStable,
    kPlacementLaunch;

// Items in the given order, one behind the other.
Placed place_in_order(const PlacementTask& task, std::span<const std::uint32_t> order);
// Small items, then those below a block, then the others; each in the packing's order.
std::vector<std::uint32_t> class_order(const Packed& packed);

}  // namespace missive::zar
