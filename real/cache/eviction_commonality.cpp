#include "real/cache/eviction.h"

namespace missive::cache {

// Blocks that many images share stay longest: one of them spares a transfer to each image to come,
// also to one that was never here. A recipe counts as shared by one image more than it is: it is
// what says that its image is a sharer, and would else leave with the first own blocks.
const EvictionPolicy kEvictCommonality = {
    "commonality", "blocks of few images go first, and among those what was used longest ago",
    [](const ContentUse& use) {
      return Worth{static_cast<double>(use.images + (use.is_recipe ? 1 : 0)),
                   static_cast<double>(use.last_use)};
    }};

}  // namespace missive::cache
