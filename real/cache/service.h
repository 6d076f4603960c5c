#pragma once
// What the cache does, without its socket: blocks from the origin into the store (fetches.h), and
// from the store into sealed memory. Safe for several threads: several images are fetched at once,
// one is assembled at a time.

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include "real/cache/client.h"
#include "real/cache/counters.h"
#include "real/cache/fetches.h"
#include "real/cache/holdings.h"
#include "real/cache/retention.h"
#include "real/cache/service_options.h"
#include "real/cache/store.h"
#include "real/zar/recipe.h"

namespace missive::cache {

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
  FetchReply fetch(const zar::Digest& image) { return fetches_.fetch(image); }
  AssembleReply assemble(const zar::Digest& image);
  std::shared_ptr<const Assembled> assembled(const zar::Digest& image);
  void forget_assembled();
  const Counters& counters() const { return counters_; }
  Counters& counters() { return counters_; }
  // Images in memory, and their bytes.
  std::pair<std::uint64_t, std::uint64_t> ready() const;
  // Blocks of an image, when the store has its recipe.
  std::optional<std::uint64_t> blocks_of(const zar::Digest& image) const {
    return holdings_.blocks(image);
  }
  Fetches::State fetches() const { return fetches_.state(); }
  // Ends all fetches. For good.
  void stop() { fetches_.stop(); }

 private:
  struct Ready {
    std::shared_ptr<const Assembled> image;
    std::uint64_t last_use = 0;
  };

  void make_room(std::uint64_t length);
  std::shared_ptr<const Assembled> build(const zar::Recipe& recipe);
  void require_undamaged(const zar::Recipe& recipe, int memory);

  Store& store_;
  ServiceOptions options_;
  Counters counters_;
  Holdings holdings_;
  Retention retention_;
  Fetches fetches_;
  std::mutex assembling_;
  mutable std::mutex ready_mutex_;  // guards the two below; retention_ has its own, taken after it
  std::unordered_map<zar::Digest, Ready> ready_;
  std::uint64_t uses_ = 0;
};

}  // namespace missive::cache
