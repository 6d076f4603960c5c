#include "real/zar/placement.h"

#include <algorithm>
#include <numeric>

#include "real/zar/layout.h"

namespace missive::zar {

const std::vector<const PlacementChoice*>& placements() {
  static const std::vector<const PlacementChoice*> all = {&kPlacementInOrder, &kPlacementGreedy,
                                                          &kPlacementStable, &kPlacementLaunch};
  return all;
}

std::uint64_t PlacementTask::alignment(const Packed::Item& item) const {
  return item.on_block ? block_size : kPage;
}

Placed place_in_order(const PlacementTask& task, std::span<const std::uint32_t> order) {
  Placed placed;
  placed.offsets.resize(task.packed.items.size());
  placed.end = task.start;
  for (const std::uint32_t i : order) {
    const Packed::Item& item = task.packed.items[i];
    placed.offsets[i] = align_up(placed.end, task.alignment(item));
    placed.end = placed.offsets[i] + item.size;
  }
  return placed;
}

std::vector<std::uint32_t> class_order(const Packed& packed) {
  std::vector<std::uint32_t> order(packed.items.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto group = [&](std::uint32_t i) {
    const Packed::Item& item = packed.items[i];
    return item.small ? 0 : item.on_block ? 2 : 1;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::uint32_t a, std::uint32_t b) { return group(a) < group(b); });
  return order;
}

}  // namespace missive::zar
