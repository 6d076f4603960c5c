#include "real/cache/eviction.h"

namespace missive::cache {

// Least recently used.
const EvictionPolicy kEvictLru = {"lru", "what was used longest ago goes first",
                                  [](const ContentUse& use) {
                                    return Worth{static_cast<double>(use.last_use), 0};
                                  }};

}  // namespace missive::cache
