#include "real/cache/eviction.h"

namespace missive::cache {

// Least frequently used. It never forgets: what was popular last month stays.
const EvictionPolicy kEvictLfu = {
    "lfu", "what was used least often goes first, and among those what was used longest ago",
    [](const ContentUse& use) {
      return Worth{static_cast<double>(use.uses), static_cast<double>(use.last_use)};
    }};

}  // namespace missive::cache
