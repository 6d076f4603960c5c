#include "real/cache/fetches.h"

#include <algorithm>
#include <csignal>
#include <limits>
#include <unordered_set>

#include <sys/eventfd.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/disk.h"
#include "real/origin/protocol.h"

namespace missive::cache {
namespace {

UniqueFd event() {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC));
  if (!fd) throw_errno("cache: cannot make an event");
  return fd;
}

// What an image takes in the store.
std::uint64_t disk_bytes(const zar::Recipe& recipe) {
  const std::unordered_set<zar::Digest> distinct(recipe.leaves.begin(), recipe.leaves.end());
  return distinct.size() * (recipe.shape.block_size + IndexRecord::kBytes) +
         recipe.leaves.size() * 32;
}

// What was asked of an origin counts, whether or not a fetch came to its end.
class Counted {
 public:
  Counted(const origin::Client& origin, Counters& counters)
      : origin_(origin), counters_(counters) {}
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
  ~Counted() {
    counters_.origin_bytes += origin_.bytes_received();
    counters_.origin_requests += origin_.requests();
  }

 private:
  const origin::Client& origin_;
  Counters& counters_;
};

}  // namespace

Fetches::Fetches(Store& store, const Holdings& holdings, Retention& retention, Counters& counters,
                 const ServiceOptions& options)
    : store_(store),
      holdings_(holdings),
      retention_(retention),
      counters_(counters),
      options_(options),
      cancel_(event()),
      slots_(options.max_fetches),
      room_(store.disk_limit() == 0 || options.eviction == nullptr
                ? std::numeric_limits<std::uint64_t>::max()
                : store.disk_limit() / 2) {
  if (options.batch == 0 || options.batch > origin::kMaxBlocksPerRequest) {
    throw InputError("cache: blocks a request must be 1 to " +
                     std::to_string(origin::kMaxBlocksPerRequest));
  }
  if (options.max_fetches == 0) throw InputError("cache: fetches at once must be 1 or more");
}

void Fetches::stop() {
  stopping_ = true;
  slots_.stop();
  room_.stop();
  const std::uint64_t one = 1;
  // Cannot fail: the counter is far from its end (eventfd(2)).
  [[maybe_unused]] const ssize_t n = ::write(cancel_.get(), &one, sizeof one);
}

Fetches::State Fetches::state() const {
  const std::uint64_t in = slots_.inside(), for_room = room_.waiting();
  return {in - std::min(in, for_room), slots_.waiting() + for_room, flights_.waiting()};
}

FetchReply Fetches::fetch(const zar::Digest& image) {
  if (options_.origin_url.empty()) throw RunError("this cache has no origin to fetch from");
  FetchReply reply;
  const bool own = flights_.run(image, [&] {
    try {
      reply = fetch_alone(image);
    } catch (...) {
      counters_.fetches_failed += 1;
      throw;
    }
  });
  if (!own) {
    retention_.used(image);
    counters_.fetches_shared += 1;
  }
  return reply;
}

FetchReply Fetches::fetch_alone(const zar::Digest& image) {
  auto slot = slots_.try_enter();
  if (!slot && is_whole(image)) return {};
  if (!slot) slot.emplace(slots_.enter());
  origin::Client origin(options_.origin_url, options_.origin_deadline, cancel_.get());
  const Counted counted(origin, counters_);
  return fetch_with(origin, image);
}

// Then it is as good as fetched.
bool Fetches::is_whole(const zar::Digest& image) {
  const Pinned pinned(retention_, image);
  const auto held = holdings_.summary(image);
  if (!held || held->missing != 0) return false;
  retention_.used(image);
  note_fetched(image, held->blocks, 0);
  return true;
}

FetchReply Fetches::fetch_with(origin::Client& origin, const zar::Digest& image) {
  std::optional<Gate::Pass> room;  // given back after the pin
  std::optional<Pinned> pinned(std::in_place, retention_, image);
  auto recipe = holdings_.recipe(image);
  std::vector<std::byte> wire;
  if (!recipe) recipe = ask_for_recipe(origin, image, wire);
  std::vector<zar::Digest> missing = holdings_.missing_blocks(*recipe);
  if (!wire.empty() || !missing.empty()) {
    pinned.reset();  // else those that wait for room would hold it among them
    room = room_for(*recipe);
    pinned.emplace(retention_, image, Retention::Needs::room);
    retention_.await_pass();  // it may have gone meanwhile, and go no more
    if (wire.empty() && !holdings_.recipe(image)) recipe = ask_for_recipe(origin, image, wire);
    if (!wire.empty()) keep(wire.size(), [&] { store_.put_recipe(image, wire); });
    wire = {};
    retention_.await_pass();
    missing = holdings_.missing_blocks(*recipe);
  }
  retention_.used(image);
  const std::uint64_t asked_for = ask_for_blocks(origin, *recipe, image, missing);
  note_fetched(image, recipe->leaves.size(), asked_for);
  return {origin.bytes_received(), asked_for, origin.requests()};
}

void Fetches::note_fetched(const zar::Digest& image, std::uint64_t blocks,
                           std::uint64_t asked_for) {
  // Also when it was all there: another fetch may have put it and not come to its end.
  if (options_.sync) store_.sync();
  retention_.expect_assembly(image);
  counters_.block_hits += blocks - asked_for;
  counters_.block_misses += asked_for;
  (asked_for == 0 ? counters_.image_hits : counters_.image_misses) += 1;
}

zar::Recipe Fetches::ask_for_recipe(origin::Client& origin, const zar::Digest& image,
                                    std::vector<std::byte>& wire) const {
  wire = origin.get_recipe(image);
  try {
    zar::Recipe recipe = zar::Recipe::parse(wire, "recipe of " + zar::to_hex(image));
    if (recipe.name() == image) return recipe;
  } catch (const InputError& e) {
    throw RunError(e.what());
  }
  throw RunError("the origin's recipe is not that of image " + zar::to_hex(image));
}

// For all of its blocks, since those that are there already may not go either.
std::optional<Gate::Pass> Fetches::room_for(const zar::Recipe& recipe) {
  if (options_.eviction == nullptr || store_.disk_limit() == 0) return std::nullopt;
  const std::uint64_t need = disk_bytes(recipe);
  if (need > store_.disk_limit()) {  // before everything else is evicted in vain
    throw NoRoom("an image of " + std::to_string(need) +
                 " bytes is more than the store may hold: " + std::to_string(store_.disk_limit()));
  }
  return room_.enter(need);
}

std::uint64_t Fetches::ask_for_blocks(origin::Client& origin, const zar::Recipe& recipe,
                                      const zar::Digest& image,
                                      std::span<const zar::Digest> missing) {
  std::uint64_t asked_for = 0;
  std::vector<zar::Digest> batch;
  for (std::size_t i = 0; i < missing.size();) {
    batch.clear();
    for (; i < missing.size() && batch.size() < options_.batch; ++i)
      if (!store_.contains(missing[i])) batch.push_back(missing[i]);
    origin.get_blocks(image, batch, recipe.shape.block_size,
                      [&](const zar::Digest& name, std::span<const std::byte> block) {
                        keep_block(name, block);
                      });
    asked_for += batch.size();
  }
  return asked_for;
}

template <typename Put>
void Fetches::keep(std::uint64_t bytes, Put&& put) {
  for (;;) {
    try {
      return put();
    } catch (const NoRoom&) {
    }
    // One makes room at a time, and looks first whether another did.
    const std::lock_guard lock(making_room_);
    try {
      return put();
    } catch (const NoRoom&) {
      // Ends: each time something leaves the store for good, or another one is done with what may
      // not leave. Of those that need room themselves only so many are admitted as fit.
      const std::uint64_t released = retention_.releases();
      if (retention_.make_room(bytes)) continue;
      if (options_.eviction == nullptr || stopping_ || !retention_.await_release(released)) throw;
    }
  }
}

void Fetches::keep_block(const zar::Digest& name, std::span<const std::byte> block) {
  if (stopping_) throw RunError("the cache is being stopped");
  keep(block.size(), [&] { store_.put(name, block); });
  const std::uint64_t fetched = fetched_bytes_ += block.size();
  const auto& die_after = options_.misbehaviour.die_after_fetched_bytes;
  if (die_after && fetched >= *die_after) ::raise(SIGKILL);
}

}  // namespace missive::cache
