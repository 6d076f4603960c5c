#pragma once
// What the cache does, without its socket: blocks from the origin into the store, and from the
// store into sealed memory. Safe for several threads: fetches run one at a time, and so do
// assemblies.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "real/cache/client.h"
#include "real/cache/counters.h"
#include "real/cache/misbehaviour.h"
#include "real/cache/retention.h"
#include "real/cache/store.h"
#include "real/zar/recipe.h"

namespace missive::cache {

struct ServiceOptions {
  std::string origin_url;  // empty: there is none, and fetch() is an error
  std::chrono::milliseconds origin_deadline{60'000};  // of each HTTP request
  std::size_t batch = 256;                            // blocks a request, 1..4096
  // Memory for images that are ready to be handed over. The one used longest ago goes first; it
  // lives on in those who have it already.
  std::uint64_t max_assembled_bytes = std::uint64_t{2} << 30;
  // What goes when the store is full; none: nothing, and a fetch fails then.
  const EvictionPolicy* eviction = nullptr;
  // Blocks are hashed when an image is assembled, so that a damaged disk is noticed here; those
  // that are not what their name says are dropped. Launchers verify in any case.
  bool check_blocks = false;
  // A fetch is answered once its blocks are on the disk itself (docs/cache-protocol.md, "On disk").
  bool sync = false;
  Misbehaviour misbehaviour;
};

class Service {
 public:
  struct Assembled {
    UniqueFd memory;
    std::uint64_t length = 0;
  };

  // `store` must outlive this. Throws InputError for options out of range.
  Service(Store& store, const ServiceOptions& options);

  // All throw RunError.
  LookupReply lookup(const zar::Digest& image);
  // Asks the origin for the recipe unless the store has it, and for the distinct blocks that the
  // store lacks, in image order. What arrived before an error stays.
  FetchReply fetch(const zar::Digest& image);
  AssembleReply assemble(const zar::Digest& image);
  std::shared_ptr<const Assembled> assembled(const zar::Digest& image);
  void forget_assembled();
  const Counters& counters() const { return counters_; }
  Counters& counters() { return counters_; }
  // Images in memory, and their bytes.
  std::pair<std::uint64_t, std::uint64_t> ready() const;
  // Blocks of an image, when the store has its recipe.
  std::optional<std::uint64_t> blocks_of(const zar::Digest& image) const;
  // Ends a fetch at its next block.
  void stop() { stopping_ = true; }

 private:
  struct Ready {
    std::shared_ptr<const Assembled> image;
    std::uint64_t last_use = 0;
  };

  std::optional<zar::Recipe> known_recipe(const zar::Digest& image) const;
  std::vector<zar::Digest> missing_blocks(const zar::Recipe& recipe) const;
  void make_room(std::uint64_t length);
  std::shared_ptr<const Assembled> build(const zar::Recipe& recipe);
  void require_undamaged(const zar::Recipe& recipe, int memory);
  // `put`, with room made for `bytes` where there is none.
  template <typename Put>
  void keep(std::uint64_t bytes, Put&& put);
  void keep_block(const zar::Digest& name, std::span<const std::byte> block);
  void require_fit(const zar::Recipe& recipe) const;

  Store& store_;
  ServiceOptions options_;
  mutable Counters counters_;
  Retention retention_;
  std::atomic<bool> stopping_ = false;
  std::uint64_t fetched_bytes_ = 0;  // guarded by fetching_
  std::mutex fetching_, assembling_;
  mutable std::mutex ready_mutex_;  // guards the two below; retention_ has its own, taken after it
  std::unordered_map<zar::Digest, Ready> ready_;
  std::uint64_t uses_ = 0;
};

}  // namespace missive::cache
