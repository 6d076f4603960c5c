// Placement "stable": consistent hashing, as in Missive's prototype of 2014. Where an item lies
// depends on its own content and hardly on its neighbours, so that after an update most blocks keep
// their index, and a buffer that still holds the old image needs few copies.
//
//   canvas   all items, each in whole pages, and 6 % more, behind the metadata
//   wish     the first 8 bytes, little-endian, of SHA-256(item's digest || seed), the seed being
//            one byte; rounded down to a block and masked to the smallest power of two that covers
//            canvas and metadata. Where that runs off the canvas, halve the mask: images of
//            different size then try the same offsets in the same order
//   seeds    0 .. 9; the first whose wish is free and behind the metadata
//   order    items by descending size, equals by digest
//   scrap    items without a place: by descending size into the smallest hole that is large enough,
//            else at the end
//
// Wishes are offsets in the image, not in the content section: a longer index moves nothing.

#include <algorithm>
#include <bit>
#include <iterator>
#include <map>
#include <numeric>
#include <set>

#include "real/zar/layout.h"
#include "real/zar/placement.h"
#include "real/zar/wire.h"

namespace missive::zar {

namespace {

constexpr int kSeeds = 10;
constexpr std::uint64_t kSlackPercent = 6;

// Free stretches, by offset and by length.
class Holes {
 public:
  Holes(std::uint64_t begin, std::uint64_t end) { add(begin, end); }

  bool take(std::uint64_t offset, std::uint64_t length) {
    auto hole = by_offset_.upper_bound(offset);
    if (hole == by_offset_.begin()) return false;
    --hole;
    if (offset + length > hole->second) return false;
    split(hole->first, hole->second, offset, offset + length);
    return true;
  }
  // The smallest hole that takes `length` bytes at `alignment`; 0 when none does.
  std::uint64_t best_fit(std::uint64_t length, std::uint64_t alignment) {
    for (auto at = by_length_.lower_bound({length, 0}); at != by_length_.end(); ++at) {
      const auto [size, begin] = *at;
      const std::uint64_t offset = align_up(begin, alignment);
      if (offset + length > begin + size) continue;
      split(begin, begin + size, offset, offset + length);
      return offset;
    }
    return 0;
  }

 private:
  void add(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    by_offset_.emplace(begin, end);
    by_length_.emplace(end - begin, begin);
  }
  void split(std::uint64_t begin, std::uint64_t end, std::uint64_t from, std::uint64_t to) {
    by_offset_.erase(begin);
    by_length_.erase({end - begin, begin});
    add(begin, from);
    add(to, end);
  }

  std::map<std::uint64_t, std::uint64_t> by_offset_;
  std::set<std::pair<std::uint64_t, std::uint64_t>> by_length_;
};

std::uint64_t wish(const Digest& digest, int seed, std::uint64_t length, std::uint64_t canvas,
                   std::uint32_t block_size) {
  FieldWriter b;
  b.put_bytes(digest.bytes).put<std::uint8_t>(static_cast<std::uint8_t>(seed));
  const std::uint64_t hash =
      load_le<std::uint64_t>(sha256(b.bytes()).bytes, 0) / block_size * block_size;
  std::uint64_t mask = std::bit_ceil(canvas) - 1;
  while (mask != 0 && (hash & mask) + length > canvas) mask >>= 1U;
  return hash & mask;
}

Placed place(const PlacementTask& task) {
  const auto& items = task.packed.items;
  Placed placed;
  placed.offsets.resize(items.size());
  placed.end = task.start;
  std::vector<std::uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    if (items[a].size != items[b].size) return items[a].size > items[b].size;
    if (task.digests[a] != task.digests[b]) return task.digests[a] < task.digests[b];
    return a < b;
  });

  std::uint64_t total = 0;
  for (const Packed::Item& item : items) total += align_up(item.size, kPage);
  const std::uint64_t canvas =
      align_up(task.start + total + total * kSlackPercent / 100, task.block_size);
  Holes holes(task.start, canvas);
  const auto put = [&](std::uint32_t i, std::uint64_t offset) {
    placed.offsets[i] = offset;
    placed.end = std::max(placed.end, offset + items[i].size);
  };

  std::vector<std::uint32_t> scrap;
  for (const std::uint32_t i : order) {
    const std::uint64_t length = align_up(items[i].size, kPage);
    bool found = false;
    for (int seed = 0; seed < kSeeds && !found; ++seed) {
      const std::uint64_t at = wish(task.digests[i], seed, length, canvas, task.block_size);
      found = holes.take(at, length);
      if (found) put(i, at);
    }
    if (!found) scrap.push_back(i);
  }
  std::uint64_t behind = canvas;
  for (const std::uint32_t i : scrap) {
    ++placed.scrap_items;
    placed.scrap_bytes += items[i].size;
    const std::uint64_t length = align_up(items[i].size, kPage);
    std::uint64_t at = holes.best_fit(length, task.alignment(items[i]));
    if (at == 0) {
      at = align_up(behind, task.alignment(items[i]));
      behind = at + length;
    }
    put(i, at);
  }
  return placed;
}

}  // namespace

const PlacementChoice kPlacementStable = {
    3, "stable", "by consistent hashing of content, with a scrap list (Missive 2014)", true, place};

}  // namespace missive::zar
