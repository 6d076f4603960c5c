#pragma once
// What the cache does, without its socket: blocks from the origin into the store, and from the
// store into sealed memory. Safe for several threads: fetches run one at a time, and so do
// assemblies.

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "real/cache/client.h"
#include "real/cache/misbehaviour.h"
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
  void keep_block(const zar::Digest& name, std::span<const std::byte> block);

  Store& store_;
  ServiceOptions options_;
  std::atomic<bool> stopping_ = false;
  std::uint64_t fetched_bytes_ = 0;  // guarded by fetching_
  std::mutex fetching_, assembling_;
  std::mutex ready_mutex_;  // guards the two below; taken last
  std::unordered_map<zar::Digest, Ready> ready_;
  std::uint64_t uses_ = 0;
};

}  // namespace missive::cache
