#include "real/cache/eviction.h"

namespace missive::cache {

// Greedy dual-size with frequency, cost 1 (Cherkasova, HP Labs report HPL-98-69R1, 1998): worth is
// uses over size, on top of a clock that stands at the worth of what was evicted last. What is not
// used any more keeps its old clock, and is overtaken.
const EvictionPolicy kEvictGdsf = {
    "gdsf", "large images that are seldom used go first; use long ago counts less",
    [](const ContentUse& use) {
      return Worth{use.greedy_dual, static_cast<double>(use.last_use)};
    }};

}  // namespace missive::cache
