#pragma once
// Blocks from the origin into the store, for many clients at once.
//
// Of an image there is one fetch at a time, and all who ask for it meanwhile share its outcome; it
// goes to its end whether or not somebody still waits. Different images are fetched side by side,
// each over a connection of its own, so that one whose answers do not come holds up no other:
//   - at most `max_fetches` of them;
//   - where the store evicts, their images take together at most half of its limit, or one is
//   alone:
//     all are pinned, and two that do not fit together would both fail.
// Who may not start yet waits in the order of arrival, unless all that it wants is in the store.
//
// A block that two images lack is asked for once a fetch: waiting for the other's would make one
// depend on what the other waits for. What came meanwhile is left out batch by batch.
//
// Memory: each of `max_fetches` has a recipe of its own (holdings.h), at most 64 KiB of an answer,
// and a block. Who waits has nothing.

#include <atomic>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "real/cache/client.h"
#include "real/cache/counters.h"
#include "real/cache/gate.h"
#include "real/cache/holdings.h"
#include "real/cache/retention.h"
#include "real/cache/service_options.h"
#include "real/cache/single_flight.h"
#include "real/cache/store.h"
#include "real/origin/client.h"

namespace missive::cache {

class Fetches {
 public:
  // All must outlive this. Throws InputError for options out of range.
  Fetches(Store& store, const Holdings& holdings, Retention& retention, Counters& counters,
          const ServiceOptions& options);

  // Asks the origin for the recipe unless the store has it, and for the distinct blocks that the
  // store lacks, in image order. What arrived before an error stays. The reply is what this call
  // itself asked the origin for: nothing for who shared the fetch of another. Throws RunError.
  FetchReply fetch(const zar::Digest& image);
  // Ends all fetches, also those that wait for an answer. For good.
  void stop();

  struct State {
    // Under way; waiting until they may be; clients that wait for the fetch of another.
    std::uint64_t in_flight = 0, waiting = 0, sharing = 0;
  };
  State state() const;

 private:
  FetchReply fetch_alone(const zar::Digest& image);
  FetchReply fetch_with(origin::Client& origin, const zar::Digest& image);
  bool is_whole(const zar::Digest& image);
  zar::Recipe ask_for_recipe(origin::Client& origin, const zar::Digest& image,
                             std::vector<std::byte>& wire) const;
  std::optional<Gate::Pass> room_for(const zar::Recipe& recipe);
  std::uint64_t ask_for_blocks(origin::Client& origin, const zar::Recipe& recipe,
                               const zar::Digest& image, std::span<const zar::Digest> missing);
  void note_fetched(const zar::Digest& image, std::uint64_t blocks, std::uint64_t asked_for);
  // `put`, with room made for `bytes` where there is none.
  template <typename Put>
  void keep(std::uint64_t bytes, Put&& put);
  void keep_block(const zar::Digest& name, std::span<const std::byte> block);

  Store& store_;
  const Holdings& holdings_;
  Retention& retention_;
  Counters& counters_;
  ServiceOptions options_;
  UniqueFd cancel_;  // eventfd(2)
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> fetched_bytes_{0};
  SingleFlight flights_;
  Gate slots_, room_;
  std::mutex making_room_;
};

}  // namespace missive::cache
