// Placement by consistent hashing: docs/zarfile-format.md and, for why it is done, Missive's
// prototype of 2014. An item asks for ten places, one after the other; who finds
// none goes to the scrap list, and from there into the smallest hole that takes it.

#include <algorithm>
#include <bit>
#include <numeric>
#include <set>

#include "models/structure_layout.h"
#include "models/structure_parts.h"

namespace missive::structure {

namespace {

constexpr unsigned kWishes = 10;
constexpr std::uint64_t kSlackPercent = 6;

// Stretches of free pages, each known by its begin; `lengths_` finds the smallest that suffices.
class FreePages {
 public:
  FreePages(std::uint64_t begin, std::uint64_t end) : length_at_(end, 0), busy_(end, true) {
    put_back(begin, end);
    std::fill(busy_.begin() + static_cast<std::ptrdiff_t>(begin), busy_.end(), false);
  }

  bool take(std::uint64_t at, std::uint64_t pages) {
    if (at + pages > busy_.size()) return false;
    for (std::uint64_t p = at; p < at + pages; ++p)
      if (busy_[p]) return false;
    std::uint64_t begin = at;
    while (length_at_[begin] == 0) --begin;
    occupy(begin, at, pages);
    return true;
  }

  // The page where the item lies now, or nothing.
  std::optional<std::uint64_t> take_smallest(std::uint64_t pages, std::uint64_t alignment) {
    for (auto hole = lengths_.lower_bound({pages, 0}); hole != lengths_.end(); ++hole) {
      const auto [length, begin] = *hole;
      const std::uint64_t at = up(begin, alignment);
      if (at + pages > begin + length) continue;
      occupy(begin, at, pages);
      return at;
    }
    return std::nullopt;
  }

 private:
  void put_back(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    length_at_[begin] = end - begin;
    lengths_.emplace(end - begin, begin);
  }
  void occupy(std::uint64_t begin, std::uint64_t at, std::uint64_t pages) {
    const std::uint64_t end = begin + length_at_[begin];
    lengths_.erase({length_at_[begin], begin});
    length_at_[begin] = 0;
    put_back(begin, at);
    put_back(at + pages, end);
    std::fill_n(busy_.begin() + static_cast<std::ptrdiff_t>(at), pages, true);
  }

  std::vector<std::uint64_t> length_at_;  // by page: of the stretch that begins there, or 0
  std::vector<bool> busy_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> lengths_;
};

}  // namespace

std::uint64_t PlaceHashes::order(const LaidItem& item) const {
  if (known_ != nullptr)
    if (const auto order = known_->order(item.key)) return *order;
  return mixed(item.key, mixed(draw_, 0));
}

std::uint64_t PlaceHashes::wish(const LaidItem& item, unsigned attempt) const {
  if (known_ != nullptr)
    if (const auto wish = known_->wish(item.key, attempt)) return *wish;
  return mixed(mixed(item.key, mixed(draw_, 0)), attempt + 1);
}

LaidPlaces place_by_hash(const std::vector<LaidItem>& items, std::uint64_t start,
                         std::uint64_t block_size, const PlaceHashes& hashes) {
  LaidPlaces p;
  p.offsets.resize(items.size());
  p.end = start;
  std::uint64_t total = 0;
  std::vector<std::uint64_t> rank;
  for (const LaidItem& item : items) {
    total += up(item.size, kPage);
    rank.push_back(hashes.order(item));
  }
  const std::uint64_t canvas = up(start + total + total * kSlackPercent / 100, block_size);
  std::vector<std::uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    if (items[a].size != items[b].size) return items[a].size > items[b].size;
    return std::pair(rank[a], a) < std::pair(rank[b], b);
  });

  FreePages free(start / kPage, canvas / kPage);
  const auto put = [&](std::uint32_t i, std::uint64_t offset) {
    p.offsets[i] = offset;
    p.end = std::max(p.end, offset + items[i].size);
  };
  const auto try_wishes = [&](std::uint32_t i, std::uint64_t length) {
    for (unsigned attempt = 0; attempt < kWishes; ++attempt) {
      const std::uint64_t hash = hashes.wish(items[i], attempt) / block_size * block_size;
      std::uint64_t mask = std::bit_ceil(canvas) - 1;
      while (mask != 0 && (hash & mask) + length > canvas) mask >>= 1U;
      if (!free.take((hash & mask) / kPage, length / kPage)) continue;
      put(i, hash & mask);
      return true;
    }
    return false;
  };
  std::vector<std::uint32_t> scrap;
  for (const std::uint32_t i : order)
    if (!try_wishes(i, up(items[i].size, kPage))) scrap.push_back(i);
  std::uint64_t behind = canvas;
  for (const std::uint32_t i : scrap) {
    const std::uint64_t length = up(items[i].size, kPage);
    const std::uint64_t alignment = items[i].on_block ? block_size : kPage;
    if (const auto page = free.take_smallest(length / kPage, alignment / kPage)) {
      put(i, *page * kPage);
      continue;
    }
    put(i, up(behind, alignment));
    behind = p.offsets[i] + length;
  }
  p.scrap_items = scrap.size();
  return p;
}

}  // namespace missive::structure
