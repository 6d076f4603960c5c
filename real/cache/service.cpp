#include "real/cache/service.h"

#include <algorithm>
#include <array>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/disk.h"
#include "real/cache/seals.h"

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
      holdings_(store, options.check_blocks, counters_),
      retention_(store, options.eviction, store.disk_limit(), counters_),
      fetches_(store, holdings_, retention_, counters_, options) {}

LookupReply Service::lookup(const zar::Digest& image) {
  {
    const std::lock_guard lock(ready_mutex_);
    // It can be had whatever is in the store.
    if (ready_.contains(image)) return {true, true, 0};
  }
  const auto held = holdings_.summary(image);
  return {false, held.has_value(), held ? held->missing : 0};
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
  const auto recipe = holdings_.recipe(image);
  if (!recipe) throw RunError("the recipe of " + zar::to_hex(image) + " is not known; fetch first");
  if (const auto missing = holdings_.missing_blocks(*recipe); !missing.empty()) {
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

void Service::forget_assembled() {
  const std::lock_guard lock(ready_mutex_);
  ready_.clear();
}

}  // namespace missive::cache
