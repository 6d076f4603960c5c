// Placement "launch": what the traced start needs comes first, in the order it needs it; the rest
// follows as in-order. A start then reads the image front to back.

#include <algorithm>

#include "real/zar/placement.h"

namespace missive::zar {

namespace {

Placed place(const PlacementTask& task) {
  std::vector<std::uint32_t> order = class_order(task.packed);
  std::vector<std::uint32_t> rank(task.packed.items.size(), kNever);
  for (std::size_t i = 0; i < rank.size(); ++i)
    for (const Packed::Member& m : task.packed.of(task.packed.items[i]))
      rank[i] = std::min(rank[i], task.contents[m.content].rank);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return rank[a] < rank[b]; });
  return place_in_order(task, order);
}

}  // namespace

const PlacementChoice kPlacementLaunch = {4, "launch", "as the traced start needs it", false,
                                          place};

}  // namespace missive::zar
