#pragma once
// What a cache counts since it started. Each only grows; read while others count.

#include <atomic>
#include <cstdint>

namespace missive::cache {

struct Counters {
  using Count = std::atomic<std::uint64_t>;
  // Fetches whose image was whole in the store already, and others.
  Count image_hits{0}, image_misses{0};
  // Blocks of images that fetches found in the store (repeated ones too), and distinct ones that
  // they had to ask the origin for.
  Count block_hits{0}, block_misses{0};
  Count origin_bytes{0}, origin_requests{0};
  // Fetches answered by the fetch that another client had under way (in none of the above), and
  // those that failed.
  Count fetches_shared{0}, fetches_failed{0};
  Count evictions{0}, evicted_bytes{0}, eviction_passes{0};  // contents of the store
  Count images_let_go{0};                                    // from memory, for others
  Count damaged_contents{0};                                 // found on the disk, and dropped
  Count connections{0}, connections_refused{0}, requests{0}, errors{0};
};

}  // namespace missive::cache
