// Placement "in-order", the default: small files, then files below a block, then all others on
// block boundaries, each in path order. Small files come first: they are what a start looks up
// most, and they fit into few pages.

#include "real/zar/placement.h"

namespace missive::zar {

namespace {

Placed place(const PlacementTask& task) { return place_in_order(task, class_order(task.packed)); }

}  // namespace

const PlacementChoice kPlacementInOrder = {1, "in-order", "by size class, then path", false, place};

}  // namespace missive::zar
