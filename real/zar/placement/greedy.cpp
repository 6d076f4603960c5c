// Placement "greedy": Missive's design of 2013. While the rest of the current block can hold some
// item, take the largest that fits; else take the largest of all. Least padding between items; any
// change of sizes reshuffles what follows.

#include <set>
#include <utility>

#include "real/zar/layout.h"
#include "real/zar/placement.h"

namespace missive::zar {

namespace {

Placed place(const PlacementTask& task) {
  // Largest last; among equals the first in the packing's order comes last, to be taken first.
  using Key = std::pair<std::uint64_t, std::uint32_t>;
  std::set<Key> left;
  const auto count = static_cast<std::uint32_t>(task.packed.items.size());
  for (std::uint32_t i = 0; i < count; ++i) left.emplace(task.packed.items[i].size, count - 1 - i);
  Placed placed;
  placed.offsets.resize(count);
  placed.end = task.start;
  while (!left.empty()) {
    const std::uint64_t at = align_up(placed.end, kPage);
    const std::uint64_t rest = (task.block_size - at % task.block_size) % task.block_size;
    auto best = left.upper_bound({rest, count});
    best = best == left.begin() ? std::prev(left.end()) : std::prev(best);
    const std::uint32_t i = count - 1 - best->second;
    left.erase(best);
    const Packed::Item& item = task.packed.items[i];
    placed.offsets[i] = align_up(at, task.alignment(item));
    placed.end = placed.offsets[i] + item.size;
  }
  return placed;
}

}  // namespace

const PlacementChoice kPlacementGreedy = {
    2, "greedy", "the largest that fits the rest of a block (Missive 2013)", false, place};

}  // namespace missive::zar
