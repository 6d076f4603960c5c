#include "models/structure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "models/structure_layout.h"
#include "models/structure_parts.h"

namespace missive {

using namespace structure;

namespace {

// Items of an image by class, as packing leaves them.
struct Items {
  double small_pages = 0;  // bundles
  double small_items = 0;
  std::uint64_t medium_pages = 0, mediums = 0;  // below a block, on pages
  std::vector<std::uint64_t> large;             // on blocks
  bool exact = false;
  double count() const {
    return small_items + static_cast<double>(mediums) + static_cast<double>(large.size());
  }
};

void pack_bundles(const StructureFacts& f, const StructureDesign& d, Items& items) {
  std::vector<std::uint64_t> small;
  std::map<std::uint32_t, std::uint64_t> groups;
  for (const FileFact& file : f.files) {
    if (file.size >= kPage) continue;
    small.push_back(file.size);
    ++groups[d.packing == "directory" ? file.directory
             : d.packing == "launch"  ? std::uint32_t{file.rank != FileFact::kNever}
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
void pack_greedy(const StructureFacts& f, const StructureDesign& d, Items& items) {
  for (const LaidItem& item : structure::pack(f, d)) {
    if (!item.small) continue;
    const std::uint64_t pages = up(item.size, kPage) / kPage;
    items.small_pages += static_cast<double>(pages);
    items.small_items += 1;
  }
}

Items items_by_class(const StructureFacts& f, const StructureDesign& d) {
  Items items;
  items.exact = d.packing == "off" || d.packing == "page" || d.packing == "greedy";
  for (const FileFact& file : f.files) {
    if (d.packing == "off" || file.size >= d.block_size)
      items.large.push_back(file.size);
    else if (file.size >= kPage)
      items.medium_pages += up(file.size, kPage) / kPage, ++items.mediums;
  }
  if (d.packing == "greedy")
    pack_greedy(f, d, items);
  else if (d.packing != "off")
    pack_bundles(f, d, items);
  items.exact |= items.small_items == 0;
  return items;
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

std::uint64_t structure::metadata_of(const StructureFacts& f, const StructureDesign& d,
                                     double items) {
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

double structure::items_of(const StructureFacts& f, const StructureDesign& d) {
  return items_by_class(f, d).count();
}

Predicted mean_of(std::vector<double> draws) {
  Predicted p;
  for (const double d : draws) p.value += d;
  p.value /= static_cast<double>(draws.size());  // of equal counts this is that count
  std::sort(draws.begin(), draws.end());
  const std::size_t outside = std::max<std::size_t>(1, (draws.size() + 1) / 20);  // at either end
  const double low = draws[outside - 1], high = draws[draws.size() - outside];
  if (low < high) p.spread = {low, high};
  return p;
}

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

namespace {

struct Length {
  std::optional<Predicted> end, scrap_items;
};

// Bytes of the image, padding included.
Length length_of(const StructureFacts& f, const StructureDesign& d, const Items& items,
                 std::uint64_t metadata, const ContentHashes* hashes) {
  Length length;
  if (d.placement == "in-order") {
    const double block = static_cast<double>(d.block_size);
    const double shared =
        (items.small_pages + static_cast<double>(items.medium_pages)) * static_cast<double>(kPage);
    double end =
        static_cast<double>(up(metadata, d.block_size)) + std::ceil(shared / block) * block;
    for (const std::uint64_t size : items.large) end += static_cast<double>(up(size, d.block_size));
    length.end = Predicted{end, items.exact};
    return length;
  }
  const bool hashed = d.placement == "stable";
  const bool drawn = hashed && !hashes_known(f, d, hashes);
  std::vector<double> ends, scraps;
  for (std::uint64_t draw = 0; draw < (drawn ? kDraws : 1); ++draw) {
    const auto layout = lay_out(f, d, metadata, PageKeys(), PlaceHashes(hashes, draw));
    if (!layout) return length;
    ends.push_back(static_cast<double>(layout->end));
    scraps.push_back(static_cast<double>(layout->scrap_items));
  }
  length.end = mean_of(ends);
  length.end->exact = !drawn;
  if (hashed) length.scrap_items = mean_of(scraps), length.scrap_items->exact = !drawn;
  return length;
}

}  // namespace

StructurePrediction predict_structure(const StructureFacts& f, const StructureDesign& d,
                                      const ContentHashes* hashes) {
  StructurePrediction p;
  const Items items = items_by_class(f, d);
  const std::uint64_t metadata = metadata_of(f, d, items.count());
  p.metadata = Predicted{static_cast<double>(metadata), true};
  const Length length = length_of(f, d, items, metadata, hashes);
  if (!length.end) return p;
  p.scrap_items = length.scrap_items;
  p.image = length.end;
  double other = static_cast<double>(metadata);
  for (const FileFact& file : f.files) other += static_cast<double>(file.size);
  p.padding = p.image;
  p.padding->value -= other;
  if (p.padding->spread) p.padding->spread->first -= other, p.padding->spread->second -= other;

  const double block = static_cast<double>(d.block_size);
  if (d.units == "blocks")
    p.units = Predicted{std::round(p.image->value / block), p.image->exact};
  else if (d.units == "strings")
    p.units = Predicted{
        std::floor(static_cast<double>(up(metadata, d.block_size)) / block) + items.count(), true};
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
  return p;
}

}  // namespace missive
