#pragma once
// A part of an experiment's points, for batch schedulers: --shard I/N is every N-th point beginning
// with the I-th (counted from 1), so that neighbours, which take about as long, are spread.

#include <cstddef>
#include <string>
#include <vector>

#include "harness/experiment.h"

namespace missive::harness {

struct Shard {
  std::size_t index = 1, of = 1;  // 1 <= index <= of
};

// "2/4". Throws InputError.
Shard parse_shard(const std::string& text);

// Leaves only the points at these places of the grid, in this order; `e.effective` stays, so that
// a result says what the whole experiment was. Throws InputError when its kind cannot be run in
// parts, or no point is left.
void keep_points(Experiment& e, const std::vector<std::size_t>& places);
void keep_shard(Experiment& e, const Shard& shard);

}  // namespace missive::harness
