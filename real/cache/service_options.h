#pragma once
// How a cache works, apart from its socket and the size of its store.

#include <chrono>
#include <cstdint>
#include <string>

#include "real/cache/eviction.h"
#include "real/cache/misbehaviour.h"

namespace missive::cache {

struct ServiceOptions {
  std::string origin_url;  // empty: there is none, and fetch() is an error
  std::chrono::milliseconds origin_deadline{60'000};  // of each HTTP request
  std::size_t batch = 256;                            // blocks a request, 1..4096
  // Images that are fetched at once, 1 or more; who wants another one waits.
  std::size_t max_fetches = 8;
  // Memory for images that are ready to be handed over. The one used longest ago goes first; it
  // lives on in those who have it already.
  std::uint64_t max_assembled_bytes = std::uint64_t{2} << 30;
  // What goes when the store is full; none: nothing, and a fetch fails then.
  const EvictionPolicy* eviction = nullptr;
  // Blocks are hashed when an image is assembled, so that a damaged disk is noticed here; those
  // that are not what their name say are dropped. Launchers verify in any case.
  bool check_blocks = false;
  // A fetch is answered once its blocks are on the disk itself (docs/cache-protocol.md, "On disk").
  bool sync = false;
  Misbehaviour misbehaviour;
};

}  // namespace missive::cache
