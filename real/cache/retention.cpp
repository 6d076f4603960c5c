#include "real/cache/retention.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "models/error.h"
#include "real/zar/recipe.h"

namespace missive::cache {
namespace {

constexpr std::size_t kMostExpected = 16;

struct HeldRecipes {
  std::vector<zar::Recipe> recipes;
  std::vector<HeldImage> images;  // in the order of `recipes`
};

// All images whose recipe is held and reads as one.
HeldRecipes images_in(const Store& store, std::span<const Store::Held> held) {
  HeldRecipes all;
  for (const Store::Held& h : held) {
    if (h.content.kind != ContentKind::recipe) continue;
    const auto wire = store.recipe(h.content.name);
    if (!wire) continue;
    try {
      all.recipes.push_back(zar::Recipe::parse(*wire, "recipe"));
    } catch (const InputError&) {
      continue;  // counts as a content of no image
    }
    HeldImage image;
    image.name = h.content.name;
    image.bytes = all.recipes.back().shape.length;
    all.images.push_back(image);
  }
  for (std::size_t i = 0; i < all.images.size(); ++i) all.images[i].leaves = all.recipes[i].leaves;
  return all;
}

struct Names {
  std::vector<Content> contents;
  std::unordered_map<zar::Digest, std::uint32_t> block_lengths, recipe_lengths;

  explicit Names(std::span<const Store::Held> held) {
    contents.reserve(held.size());
    for (const Store::Held& h : held) {
      contents.push_back(h.content);
      (h.content.kind == ContentKind::block ? block_lengths : recipe_lengths)[h.content.name] =
          h.length;
    }
  }
  std::uint32_t length(const Content& c) const {
    return (c.kind == ContentKind::block ? block_lengths : recipe_lengths).at(c.name);
  }
};

}  // namespace

void Retention::used(const zar::Digest& image) {
  const std::lock_guard lock(mutex_);
  ImageUse& use = uses_[image];
  use.uses += 1;
  use.last_use = ++use_number_;
  use.clock = clock_;
}

void Retention::pin(const zar::Digest& image, Needs needs) {
  const std::lock_guard lock(mutex_);
  pins_[image] += 1;
  if (needs == Needs::nothing) passing_ += 1;
}

void Retention::release(const zar::Digest& image, Needs needs) {
  const std::lock_guard lock(mutex_);
  const auto found = pins_.find(image);
  if (found != pins_.end() && --found->second == 0) pins_.erase(found);
  if (needs == Needs::room) return;
  passing_ -= 1;
  releases_ += 1;
  released_.notify_all();
}

std::uint64_t Retention::releases() const {
  const std::lock_guard lock(mutex_);
  return releases_;
}

bool Retention::await_release(std::uint64_t before) {
  std::unique_lock lock(mutex_);
  if (releases_ != before) return true;
  if (passing_ == 0) return false;
  return released_.wait_for(lock, std::chrono::seconds(5), [&] { return releases_ != before; });
}

void Retention::expect_assembly(const zar::Digest& image) {
  const std::lock_guard lock(mutex_);
  std::erase(expected_, image);
  expected_.push_back(image);
  if (expected_.size() > kMostExpected) expected_.pop_front();
}

void Retention::assembled(const zar::Digest& image) {
  const std::lock_guard lock(mutex_);
  std::erase(expected_, image);
}

bool Retention::is_pinned(const zar::Digest& image) const {
  return pins_.contains(image) || std::ranges::find(expected_, image) != expected_.end();
}

bool Retention::make_room(std::uint64_t bytes) {
  if (policy_ == nullptr) return false;
  const std::lock_guard lock(mutex_);
  counters_.eviction_passes += 1;
  std::uint64_t freed = evict(std::max(bytes, limit_ / 16));
  while (freed < bytes && !expected_.empty()) {
    expected_.pop_front();
    freed += evict(bytes - freed);
  }
  return freed != 0;
}

// Returns the bytes that became free.
std::uint64_t Retention::evict(std::uint64_t wanted) {
  const std::vector<Store::Held> held = store_.held();
  HeldRecipes all = images_in(store_, held);
  std::unordered_map<zar::Digest, ImageUse> still_used;
  const auto keep_use = [&](const zar::Digest& image) {
    const auto use = uses_.find(image);
    if (use != uses_.end()) still_used.insert(*use);
    return use == uses_.end() ? ImageUse{} : use->second;
  };
  for (HeldImage& image : all.images) {
    image.use = keep_use(image.name);
    image.pinned = is_pinned(image.name);
  }
  for (const auto& [image, pins] : pins_) keep_use(image);
  uses_ = std::move(still_used);  // images that left are forgotten: bounded like the store

  const Names names(held);
  std::uint64_t freed = 0;
  std::vector<Content> leave;
  for (const Candidate& c : eviction_order(*policy_, all.images, names.contents)) {
    if (freed >= wanted) break;
    freed += names.length(c.content);
    leave.push_back(c.content);
    if (std::isfinite(c.worth.first)) clock_ = std::max(clock_, c.worth.first);
  }
  store_.drop(leave);
  counters_.evictions += leave.size();
  counters_.evicted_bytes += freed;
  return freed;
}

Collected collect_garbage(Store& store, std::uint64_t limit, const EvictionPolicy& policy) {
  const auto size = [&] {
    const Store::Stats s = store.stats();
    return s.data_bytes + s.index_bytes;
  };
  Collected result;
  result.bytes_before = size();
  const std::vector<Store::Held> held = store.held();
  const HeldRecipes all = images_in(store, held);
  const Names names(held);
  std::uint64_t left = IndexHead::kBytes;
  for (const Store::Held& h : held) left += h.length + IndexRecord::kBytes;
  std::vector<Content> leave;
  for (const Candidate& c : eviction_order(policy, all.images, names.contents)) {
    const bool unreferenced = !std::isfinite(c.worth.first);
    if (!unreferenced && (limit == 0 || left <= limit)) break;
    left -= names.length(c.content) + IndexRecord::kBytes;
    leave.push_back(c.content);
    (unreferenced ? result.unreferenced_blocks : result.evicted) += 1;
  }
  store.drop(leave);
  store.compact();
  result.bytes_after = size();
  return result;
}

}  // namespace missive::cache
