#pragma once
// Which contents go first when the store's limit is reached. A policy is one file,
// eviction_NAME.cpp, and one line in eviction.cpp: a function from what is known of a content's use
// to its worth.
//
// Contents are blocks and recipes; what is used are images. A content has the uses of all images
// that hold it. The worth of everything is computed when room is needed, and as much as makes at
// least a sixteenth of the limit free goes at once: a pass over N contents costs N log N, and
// happens once in so many bytes fetched.

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "real/cache/index_record.h"

namespace missive::cache {

// How an image was used since the cache started.
struct ImageUse {
  std::uint64_t uses = 0;
  std::uint64_t last_use = 0;  // number of the use, counted over all images; 0: never
  double clock = 0;            // worth of what was evicted last, as it stood at the last use
};

// Of a content: over all images that hold it.
struct ContentUse {
  bool is_recipe = false;
  std::uint64_t images = 0;    // how many
  std::uint64_t uses = 0;      // sum
  std::uint64_t last_use = 0;  // latest
  double greedy_dual = 0;      // highest of clock + uses / size of the image in MiB
};

// Compared as pairs; the lowest goes first.
using Worth = std::pair<double, double>;

struct EvictionPolicy {
  const char* name;
  const char* what;
  Worth (*worth)(const ContentUse& use);
};
const std::vector<const EvictionPolicy*>& eviction_policies();
// Throws InputError that lists the names.
const EvictionPolicy& eviction_policy(const std::string& name);

extern const EvictionPolicy kEvictLru, kEvictLfu, kEvictGdsf, kEvictCommonality;

// An image whose recipe is held.
struct HeldImage {
  zar::Digest name;
  std::uint64_t bytes = 0;
  std::span<const zar::Digest> leaves;
  ImageUse use;
  bool pinned = false;  // none of its contents may go
};

struct Candidate {
  Content content;
  Worth worth;
};
// Everything in `held` that may go, in the order in which it should: first blocks of no image, then
// by worth, and among equals the later in its image first and the recipe last.
std::vector<Candidate> eviction_order(const EvictionPolicy& policy,
                                      std::span<const HeldImage> images,
                                      std::span<const Content> held);

}  // namespace missive::cache
