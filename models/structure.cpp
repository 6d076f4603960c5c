#include "models/structure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "models/structure_parts.h"

namespace missive {

using namespace structure;

namespace {

void pack_bundles(const StructureFacts& f, const StructureDesign& d, Items& items) {
  std::vector<std::uint64_t> small;
  std::map<std::uint32_t, std::uint64_t> groups;
  for (const FileFact& file : f.files) {
    if (file.size >= kPage) continue;
    small.push_back(file.size);
    ++groups[d.packing == "directory" ? file.directory
             : d.packing == "launch"  ? std::uint32_t{file.ranked}
                                      : 0];
  }
  if (small.empty()) return;
  if (d.packing == "page") {
    items.small_pages = items.small_items = static_cast<double>(small.size());
    return;
  }
  const BundlePages pages(small);
  for (const auto& [group, count] : groups) items.small_pages += pages.of(count);
  items.small_items = static_cast<double>(groups.size());
}

// What small files leave over once they have filled the last pages of the others.
void pack_greedy(const StructureFacts& f, Items& items) {
  double small = 0, room = 0;
  for (const FileFact& file : f.files)
    if (file.size < kPage)
      small += static_cast<double>(up(file.size, kSlot));
    else
      room += static_cast<double>((kPage - up(file.size, kSlot) % kPage) % kPage);
  const double left = std::max(0.0, small - room);
  items.small_pages = std::ceil(left / kPage);
  items.small_items = left > 0 ? 1 : 0;
}

Items pack(const StructureFacts& f, const StructureDesign& d) {
  Items items;
  items.exact = d.packing == "off" || d.packing == "page";
  for (const FileFact& file : f.files) {
    if (d.packing == "off" || file.size >= d.block_size)
      items.large.push_back(file.size);
    else if (file.size >= kPage)
      items.medium_pages += up(file.size, kPage) / kPage, ++items.mediums;
  }
  if (d.packing == "greedy")
    pack_greedy(f, items);
  else if (d.packing != "off")
    pack_bundles(f, d, items);
  items.exact |= items.small_items == 0 && d.packing != "greedy";
  return items;
}

std::uint64_t metadata_of(const StructureFacts& f, const StructureDesign& d, double items) {
  const std::array<std::uint64_t, 7> lengths = {
      f.entries * 40,
      f.strings,
      f.extras * 24,
      f.extents * 24,
      f.absent * 8,
      f.runs * 12,
      d.units == "blocks" ? 0 : static_cast<std::uint64_t>(std::llround(items)) * 16};
  std::uint64_t at = 256;
  for (const std::uint64_t length : lengths) at = up(at, 8) + length;
  return at;
}

// Rods on blocks, by descending length, each with ten wishes.
class HashedPlacement {
 public:
  static constexpr int kWishes = 10;

  HashedPlacement(double blocks, double front) : sites_(blocks) {
    // A wish beyond the end is folded to the lower half of the next power of two, so that places
    // there are wished for twice as often.
    const double half = std::exp2(std::ceil(std::log2(blocks)) - 1);
    high_ = std::max(0.0, 2 * (blocks - half));
    const double low = blocks - high_;
    share_high_ = high_ / (high_ + 2 * low);
    used_high_ = high_ > 0 ? front * high_ / blocks : 0;
    used_low_ = front - used_high_;
    rods_ = 1;
  }
  // Chance that one more rod of `length` blocks finds a place; and takes it with that chance.
  // `stays`: chance that it finds the same place when `renewed` of all places are taken otherwise.
  double place(double length, double renewed, double& stays) {
    const double p_high = chance(high_, used_high_, length);
    const double p_low = chance(sites_ - high_, used_low_, length);
    const double p = share_high_ * p_high + (1 - share_high_) * p_low;
    const double blocked = 1 - p;
    double found = 0;
    stays = 0;
    const double undisturbed = (1 - renewed * blocked) * (p > 0 ? 1 : 0);
    const double still_blocked = 1 - renewed * p;
    for (int i = 0; i < kWishes; ++i) {
      const double here = std::pow(blocked, i) * p;
      found += here;
      stays += here * std::pow(still_blocked, i) * undisturbed;
    }
    if (p > 0) {
      used_high_ += length * found * share_high_ * p_high / p;
      used_low_ += length * found * (1 - share_high_) * p_low / p;
    }
    rods_ += found;
    return found;
  }
  double free() const { return std::max(0.0, sites_ - used_high_ - used_low_); }
  double rods() const { return rods_; }

 private:
  double chance(double sites, double used, double length) const {
    if (sites <= 0) return 0;
    const double free = std::max(0.0, sites - used);
    const double rods = rods_ * sites / sites_;
    // The site is free, and so is each that follows: gaps are geometric.
    return free / sites * std::pow(free / (free + rods), length - 1);
  }
  double sites_, high_ = 0, share_high_ = 0, used_high_ = 0, used_low_ = 0, rods_ = 0;
};

struct HashedResult {
  double scrap = 0, end = 0, kept_bytes = 0;
};

// Larger files without a place of their own go into the holes that are long enough, else behind.
double overflow(const std::vector<std::pair<double, double>>& large_scrap,
                const HashedPlacement& placed, double block) {
  double behind = 0, free = placed.free();
  const double rods = placed.rods();
  for (const auto& [blocks, expected] : large_scrap) {
    const double holes = free > 0 ? rods * std::pow(free / (free + rods), blocks) : 0;
    if (holes >= 1 && free >= blocks)
      free -= blocks * expected;
    else
      behind += blocks * expected * block;
  }
  return behind;
}

HashedResult place_hashed(const StructureFacts& f, const StructureDesign& d, const Items& items,
                          std::uint64_t start) {
  struct Rod {
    double bytes;
    bool same;
  };
  std::vector<Rod> rods;
  double total = 0;
  const auto add = [&](double bytes, bool same) {
    rods.push_back({bytes, same});
    total += bytes;
  };
  bool small_same = f.gone.empty();
  for (const FileFact& file : f.files) {
    if (d.packing == "off" || file.size >= kPage)
      add(static_cast<double>(up(file.size, kPage)), file.change == FileChange::same);
    else
      small_same &= file.change == FileChange::same;
  }
  for (int i = 0; i < static_cast<int>(items.small_items); ++i)
    add(items.small_pages / items.small_items * kPage, small_same);
  std::sort(rods.begin(), rods.end(), [](const Rod& a, const Rod& b) { return a.bytes > b.bytes; });
  const double block = static_cast<double>(d.block_size);
  const double canvas = std::ceil((static_cast<double>(start) + total * 1.06) / block) * block;
  HashedPlacement placement(canvas / block, static_cast<double>(start) / block);
  HashedResult r;
  // Blocks that hold something else than in the other image: new content, and what it displaced,
  // which displaces others in turn.
  double placed = 0, renewed = 0;
  std::vector<std::pair<double, double>> large_scrap;
  for (const Rod& rod : rods) {
    const double length = std::ceil(rod.bytes / block);
    double stays = 0;
    const double found = placement.place(length, placed > 0 ? renewed / placed : 0, stays);
    r.scrap += 1 - found;
    if (rod.bytes >= block) large_scrap.emplace_back(length, 1 - found);
    if (rod.same) r.kept_bytes += stays * rod.bytes;
    placed += length * found;
    renewed += length * (found - (rod.same ? stays : 0));
  }
  r.end = canvas + overflow(large_scrap, placement, block);
  return r;
}

// Distinct blocks that hold pages of the start.
double start_blocks(const StructureFacts& f, const StructureDesign& d, const Items& items) {
  double blocks = 0, hits = 0;
  const std::uint64_t block_pages = d.block_size / kPage;
  const auto per = static_cast<double>(block_pages);
  for (const FileFact& file : f.files) {
    std::vector<std::uint64_t> own;
    double pages = 0;
    for (const auto& [first, count] : file.touched)
      for (std::uint64_t page = first; page < std::uint64_t{first} + count; ++page) {
        own.push_back(page * kPage / d.block_size);
        ++pages;
      }
    std::sort(own.begin(), own.end());
    own.erase(std::unique(own.begin(), own.end()), own.end());
    if (d.packing == "off" || file.size >= d.block_size)
      blocks += static_cast<double>(own.size());
    else if (!own.empty())
      hits += (file.size < kPage && d.packing != "page" ? static_cast<double>(file.size) / kPage
                                                        : pages) +
              per - 1;
  }
  // The shared part: files of the start lie anywhere in it.
  const double shared = (items.small_pages + static_cast<double>(items.medium_pages)) / per;
  if (shared > 0) blocks += shared * (1 - std::exp(-hits / (shared * per)));
  return blocks;
}

}  // namespace

BundlePages::BundlePages(const std::vector<std::uint64_t>& sizes) {
  std::vector<double> share(kSlots + 1, 0.0);
  for (const std::uint64_t size : sizes)
    share[up(size, kSlot) / kSlot] += 1.0 / static_cast<double>(sizes.size());
  // Before the first file: as if a page had just been filled.
  std::vector<double> fill(kSlots + 1, 0.0), next(kSlots + 1);
  fill[kSlots] = 1;
  pages_ = {0};
  constexpr std::size_t kSteps = 96;  // mixes within a few pages
  for (std::size_t step = 0; step < kSteps; ++step) {
    std::fill(next.begin(), next.end(), 0.0);
    double opened = 0;
    for (std::size_t at = 1; at <= kSlots; ++at) {
      if (fill[at] < 1e-15) continue;
      for (std::size_t k = 1; k <= kSlots; ++k) {
        const double p = fill[at] * share[k];
        if (p == 0) continue;
        const bool fits = at + k <= kSlots;
        next[fits ? at + k : k] += p;
        if (!fits) opened += p;
      }
    }
    std::swap(fill, next);
    pages_.push_back(pages_.back() + opened);
  }
  constexpr std::size_t kTail = kSteps / 2;
  slope_ = (pages_.back() - pages_[kTail]) / static_cast<double>(kSteps - kTail);
}

double BundlePages::of(std::uint64_t count) const {
  if (count < pages_.size()) return pages_[count];
  return pages_.back() + slope_ * static_cast<double>(count - (pages_.size() - 1));
}

std::uint64_t tree_nodes(std::uint64_t leaves, std::uint64_t degree) {
  std::uint64_t total = 0;
  while (leaves > 1) total += leaves = (leaves + degree - 1) / degree;
  return total;
}

std::uint64_t leaf_proof(std::uint64_t leaves, std::uint64_t degree) {
  std::uint64_t total = 0;
  for (; leaves > 1; leaves = (leaves + degree - 1) / degree) total += std::min(leaves, degree) - 1;
  return total;
}

double partial_proof(std::uint64_t leaves, std::uint64_t proven,
                     const std::vector<std::uint64_t>& gaps, std::uint64_t degree) {
  if (proven == 0 || leaves < 2) return 0;
  double digests = 0, visited = static_cast<double>(proven);
  std::uint64_t width = 1;
  for (std::uint64_t nodes = leaves; nodes > 1;) {
    const std::uint64_t parents = (nodes + degree - 1) / degree;
    width = std::min(width * degree, leaves);
    // A node covers `width` leaves; it is not visited when all of them lie within one gap.
    double untouched = 0;
    for (const std::uint64_t gap : gaps)
      if (gap >= width) untouched += static_cast<double>(gap - width + 1);
    untouched /= static_cast<double>(leaves - width + 1);
    const double touched =
        parents == 1 ? 1 : std::max(1.0, static_cast<double>(parents) * (1 - untouched));
    const double children = touched * static_cast<double>(nodes) / static_cast<double>(parents);
    digests += std::max(0.0, children - visited);
    visited = touched;
    nodes = parents;
  }
  return digests;
}

StructurePrediction predict_structure(const StructureFacts& f, const StructureDesign& d,
                                      const BlockSurvival* survival) {
  StructurePrediction p;
  Items items = pack(f, d);
  const double count = items.small_items + static_cast<double>(items.mediums + items.large.size());
  const std::uint64_t metadata = metadata_of(f, d, count);
  const bool counted = d.units == "blocks" || d.packing != "greedy";
  p.metadata = Predicted{static_cast<double>(metadata), counted};
  const std::uint64_t start = up(metadata, d.block_size);
  double content = 0;
  for (const FileFact& file : f.files) content += static_cast<double>(file.size);

  const double block = static_cast<double>(d.block_size);
  const double shared =
      (items.small_pages + static_cast<double>(items.medium_pages)) * static_cast<double>(kPage);
  double room = 0, blocks = 0, pages = 0;
  for (const std::uint64_t size : items.large) {
    blocks += static_cast<double>(up(size, d.block_size));
    pages += static_cast<double>(up(size, kPage));
  }
  room = blocks - pages;
  double end = static_cast<double>(start);
  bool exact = items.exact;
  if (d.placement == "in-order") {
    end += std::ceil(shared / block) * block + blocks;
  } else if (d.placement == "greedy") {
    end += std::ceil(
               (pages + std::max(shared, std::min(room, shared)) + std::max(0.0, room - shared)) /
               block) *
           block;
    exact = false;
  } else if (d.placement == "stable") {
    const HashedResult r = place_hashed(f, d, items, start);
    p.scrap_items = Predicted{r.scrap, false};
    end = r.end;
    exact = false;
    if (f.pair) p.copied = Predicted{std::max(0.0, end - r.kept_bytes), false};
  } else {
    return p;  // "launch": the order decides
  }
  p.image = Predicted{end, exact};
  p.padding = Predicted{end - content - static_cast<double>(metadata), exact};
  if (d.units == "blocks")
    p.units = Predicted{std::round(end / block), exact};
  else if (d.units == "strings")
    p.units = Predicted{std::floor(static_cast<double>(start) / block) + count, counted};
  if (p.units) {
    const auto units = static_cast<std::uint64_t>(p.units->value);
    const double record = d.units == "blocks" ? 32 : 40;
    p.recipe = Predicted{32 + record * static_cast<double>(units), p.units->exact};
    p.tree = Predicted{static_cast<double>(tree_nodes(units, d.degree) * kDigest), p.units->exact};
    p.proof = Predicted{static_cast<double>(leaf_proof(units, d.degree) * kDigest), p.units->exact};
  }
  if (f.runs > 0 && d.placement == "in-order" &&
      (d.packing == "off" || d.packing == "page" || d.packing == "path"))
    p.start_blocks = Predicted{start_blocks(f, d, items), d.packing == "off"};
  if (f.pair && d.units != "cdc" && d.placement == "in-order" &&
      (d.packing == "path" || d.packing == "page" || d.packing == "off"))
    p.network = Predicted{network_bytes(f, d, items, start, survival), false};
  return p;
}

}  // namespace missive
