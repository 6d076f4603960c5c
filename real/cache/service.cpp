#include "real/cache/service.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <unordered_set>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/content_check.h"
#include "real/cache/disk.h"
#include "real/cache/seals.h"
#include "real/origin/client.h"
#include "real/origin/protocol.h"

// Since Linux 6.3 (memfd_create(2)); Debian 12's headers are older.
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

namespace missive::cache {
namespace {

UniqueFd make_memory(std::uint64_t length, const std::string& where) {
  constexpr unsigned int kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd fd(::memfd_create("missive-image", kFlags | MFD_NOEXEC_SEAL));
  if (!fd) fd.reset(::memfd_create("missive-image", kFlags));  // EINVAL: an older kernel
  if (!fd) throw_errno(where + ": cannot get memory");
  truncate(fd.get(), length, where);
  return fd;
}

void flip_bit(int fd, std::uint64_t bit, const std::string& where) {
  std::array<std::byte, 1> b{};
  read_at(fd, b, bit / 8, where);
  b[0] ^= static_cast<std::byte>(1U << (bit % 8));
  write_at(fd, b, bit / 8, where);
}

}  // namespace

Service::Service(Store& store, const ServiceOptions& options)
    : store_(store),
      options_(options),
      retention_(store, options.eviction, store.disk_limit(), counters_) {
  if (options.batch == 0 || options.batch > origin::kMaxBlocksPerRequest) {
    throw InputError("cache: blocks a request must be 1 to " +
                     std::to_string(origin::kMaxBlocksPerRequest));
  }
}

std::optional<zar::Recipe> Service::known_recipe(const zar::Digest& image) const {
  const auto wire = store_.recipe(image);
  if (!wire) return std::nullopt;
  const Content content{ContentKind::recipe, image};
  if (options_.check_blocks && !is_what_it_says(content, *wire)) {
    store_.drop(std::span(&content, 1));
    counters_.damaged_contents += 1;
    return std::nullopt;
  }
  return zar::Recipe::parse(*wire, "stored recipe of " + zar::to_hex(image));
}

std::vector<zar::Digest> Service::missing_blocks(const zar::Recipe& recipe) const {
  std::vector<zar::Digest> missing;
  std::unordered_set<zar::Digest> seen;
  for (const zar::Digest& leaf : recipe.leaves) {
    if (!store_.contains(leaf) && seen.insert(leaf).second) missing.push_back(leaf);
  }
  return missing;
}

LookupReply Service::lookup(const zar::Digest& image) {
  {
    const std::lock_guard lock(ready_mutex_);
    // It can be had whatever is in the store.
    if (ready_.contains(image)) return {true, true, 0};
  }
  LookupReply reply;
  if (const auto recipe = known_recipe(image)) {
    reply.recipe_known = true;
    reply.blocks_missing = missing_blocks(*recipe).size();
  }
  return reply;
}

template <typename Put>
void Service::keep(std::uint64_t bytes, Put&& put) {
  for (;;) {
    try {
      return put();
    } catch (const NoRoom&) {
      // Ends: each time something leaves the store for good.
      if (!retention_.make_room(bytes)) throw;
    }
  }
}

// Before everything else is evicted in vain.
void Service::require_fit(const zar::Recipe& recipe) const {
  if (options_.eviction == nullptr || store_.disk_limit() == 0) return;
  const std::unordered_set<zar::Digest> distinct(recipe.leaves.begin(), recipe.leaves.end());
  const std::uint64_t need =
      distinct.size() * (recipe.shape.block_size + IndexRecord::kBytes) + recipe.leaves.size() * 32;
  if (need > store_.disk_limit()) {
    throw NoRoom("an image of " + std::to_string(need) +
                 " bytes is more than the store may hold: " + std::to_string(store_.disk_limit()));
  }
}

void Service::keep_block(const zar::Digest& name, std::span<const std::byte> block) {
  if (stopping_) throw RunError("the cache is being stopped");
  keep(block.size(), [&] { store_.put(name, block); });
  fetched_bytes_ += block.size();
  if (options_.misbehaviour.die_after_fetched_bytes &&
      fetched_bytes_ >= *options_.misbehaviour.die_after_fetched_bytes) {
    ::raise(SIGKILL);
  }
}

FetchReply Service::fetch(const zar::Digest& image) {
  if (options_.origin_url.empty()) throw RunError("this cache has no origin to fetch from");
  const std::lock_guard lock(fetching_);
  const Pinned pinned(retention_, image);
  origin::Client origin(options_.origin_url, options_.origin_deadline);
  auto recipe = known_recipe(image);
  if (!recipe) {
    const auto wire = origin.get_recipe(image);
    try {
      recipe = zar::Recipe::parse(wire, "recipe of " + zar::to_hex(image));
    } catch (const InputError& e) {
      throw RunError(e.what());
    }
    if (recipe->name() != image) {
      throw RunError("the origin's recipe is not that of image " + zar::to_hex(image));
    }
    require_fit(*recipe);
    keep(wire.size(), [&] { store_.put_recipe(image, wire); });
  }
  retention_.used(image);
  const std::vector<zar::Digest> missing = missing_blocks(*recipe);
  for (std::size_t i = 0; i < missing.size(); i += options_.batch) {
    const auto batch = std::span(missing).subspan(i, std::min(options_.batch, missing.size() - i));
    origin.get_blocks(image, batch, recipe->shape.block_size,
                      [&](const zar::Digest& name, std::span<const std::byte> block) {
                        keep_block(name, block);
                      });
  }
  if (options_.sync && origin.requests() != 0) store_.sync();
  retention_.expect_assembly(image);
  counters_.block_hits += recipe->leaves.size() - missing.size();
  counters_.block_misses += missing.size();
  (missing.empty() ? counters_.image_hits : counters_.image_misses) += 1;
  counters_.origin_bytes += origin.bytes_received();
  counters_.origin_requests += origin.requests();
  return {origin.bytes_received(), missing.size(), origin.requests()};
}

void Service::make_room(std::uint64_t length) {
  if (length > options_.max_assembled_bytes) {
    throw RunError("an image of " + std::to_string(length) + " bytes is more than the " +
                   std::to_string(options_.max_assembled_bytes) +
                   " bytes of memory the cache may use");
  }
  const std::lock_guard lock(ready_mutex_);
  std::uint64_t used = 0;
  for (const auto& [name, ready] : ready_) used += ready.image->length;
  while (used + length > options_.max_assembled_bytes) {
    const auto oldest = std::ranges::min_element(
        ready_, {}, [](const auto& entry) { return entry.second.last_use; });
    used -= oldest->second.image->length;
    ready_.erase(oldest);
    counters_.images_let_go += 1;
  }
}

void Service::require_undamaged(const zar::Recipe& recipe, int memory) {
  const Mapping map = Mapping::read_only(memory, recipe.shape.length, "assembled image");
  const std::size_t size = recipe.shape.block_size;
  std::vector<Content> damaged;
  zar::Hasher hasher;
  for (std::size_t i = 0; i < recipe.leaves.size(); ++i) {
    if (hasher.hash(map.bytes().subspan(i * size, size)) != recipe.leaves[i])
      damaged.push_back({ContentKind::block, recipe.leaves[i]});
  }
  if (damaged.empty()) return;
  store_.drop(damaged);
  counters_.damaged_contents += damaged.size();
  throw RunError(std::to_string(damaged.size()) + " blocks of " + zar::to_hex(recipe.name()) +
                 " were damaged on the disk and are dropped; fetch again");
}

std::shared_ptr<const Service::Assembled> Service::build(const zar::Recipe& recipe) {
  const std::string where = "assembling " + zar::to_hex(recipe.name());
  const Misbehaviour& fault = options_.misbehaviour;
  auto image = std::make_shared<Assembled>();
  image->length = recipe.shape.length;
  image->memory = make_memory(image->length, where);
  const int fd = image->memory.get();
  for (const zar::Digest& leaf : recipe.leaves) {
    store_.append_to(fd, leaf, recipe.shape.block_size);
  }
  if (options_.check_blocks) require_undamaged(recipe, fd);
  if (fault.flip_bit) flip_bit(fd, *fault.flip_bit, where);
  if (fault.extra_length != 0) {
    image->length += static_cast<std::uint64_t>(fault.extra_length);
    truncate(fd, image->length, where);
  }
  if (!fault.unsealed) seal(fd, where);
  return image;
}

AssembleReply Service::assemble(const zar::Digest& image) {
  const std::lock_guard lock(assembling_);
  {
    const std::lock_guard ready_lock(ready_mutex_);
    if (ready_.contains(image)) return {0};
  }
  const Pinned pinned(retention_, image);
  const auto recipe = known_recipe(image);
  if (!recipe) throw RunError("the recipe of " + zar::to_hex(image) + " is not known; fetch first");
  if (const auto missing = missing_blocks(*recipe); !missing.empty()) {
    throw RunError(std::to_string(missing.size()) + " blocks of " + zar::to_hex(image) +
                   " are missing; fetch first");
  }
  make_room(recipe->shape.length);
  auto built = build(*recipe);
  retention_.assembled(image);
  const std::lock_guard ready_lock(ready_mutex_);
  ready_[image] = {std::move(built), ++uses_};
  return {recipe->shape.length};
}

std::shared_ptr<const Service::Assembled> Service::assembled(const zar::Digest& image) {
  const std::lock_guard lock(ready_mutex_);
  const auto found = ready_.find(image);
  if (found == ready_.end()) {
    throw RunError(zar::to_hex(image) + " is not assembled; ask for that first");
  }
  found->second.last_use = ++uses_;
  retention_.used(image);
  return found->second.image;
}

std::pair<std::uint64_t, std::uint64_t> Service::ready() const {
  const std::lock_guard lock(ready_mutex_);
  std::uint64_t bytes = 0;
  for (const auto& [name, ready] : ready_) bytes += ready.image->length;
  return {ready_.size(), bytes};
}

std::optional<std::uint64_t> Service::blocks_of(const zar::Digest& image) const {
  const auto recipe = known_recipe(image);
  return recipe ? std::optional(recipe->shape.blocks()) : std::nullopt;
}

void Service::forget_assembled() {
  const std::lock_guard lock(ready_mutex_);
  ready_.clear();
}

}  // namespace missive::cache
