// What of an image another image lacks: changed files, what shares pages with them, and what they
// move.

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "models/random.h"
#include "models/structure_parts.h"

namespace missive {

using namespace structure;

namespace {

// What below a block is not as in the other image, and how much of it takes another room, so that
// what follows moves.
struct Disturbance {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> small;  // sizes before and after
  double medium_bytes = 0, medium_moves = 0;
};

Disturbance disturbance_of(const StructureFacts& f, const StructureDesign& d) {
  Disturbance x;
  const auto small = [](std::uint64_t size) { return size < kPage ? size : 0; };
  const auto medium = [&](std::uint64_t size) {
    return size >= kPage && size < d.block_size ? up(size, kPage) : 0;
  };
  for (const FileFact& file : f.files) {
    if (file.change == FileChange::same) continue;
    if (small(file.size) + small(file.old_size) > 0)
      x.small.emplace_back(small(file.old_size), small(file.size));
    x.medium_bytes += static_cast<double>(medium(file.size));
    x.medium_moves += medium(file.size) != medium(file.old_size) ? 1 : 0;
  }
  for (const std::uint64_t size : f.gone) {
    if (small(size) > 0) x.small.emplace_back(size, 0);
    x.medium_moves += medium(size) > 0 ? 1 : 0;
  }
  return x;
}

// Bytes of the files below a block, in stored pages, that another image has not.
double shared_part(const StructureFacts& f, const StructureDesign& d, const Items& items) {
  const Disturbance x = disturbance_of(f, d);
  const std::uint64_t block_pages = d.block_size / kPage;
  const auto per = static_cast<double>(block_pages);
  std::vector<std::uint64_t> small;
  for (const FileFact& file : f.files)
    if (file.size < kPage) small.push_back(file.size);
  double bytes = 0, moves = 0;
  const double changes = static_cast<double>(x.small.size());
  if (d.packing == "path" && items.small_pages > 0) {
    const BundleDamage damage = bundle_damage(small, x.small);
    moves = changes * damage.shift;
    // A block of several pages is hit when any of them is.
    const double hits = changes * (damage.pages + per - 1) / items.small_pages;
    const double before = moves > 0 ? (1 - std::exp(-moves)) / moves : 1;
    const double in_phase = before + (1 - before) / per;
    bytes += items.small_pages * kPage * (1 - std::exp(-hits) * in_phase);
  } else {
    bytes += std::min(changes, items.small_pages) * kPage * std::min(per, 2.0);
    for (const auto& [old_size, size] : x.small) moves += old_size == 0 || size == 0 ? 1 : 0;
  }
  if (items.medium_pages == 0) return bytes;
  const double medium = static_cast<double>(items.medium_pages) * kPage;
  const double renewed = std::min(1.0, x.medium_bytes / medium);
  const double mean_pages =
      static_cast<double>(items.medium_pages) / static_cast<double>(items.mediums);
  const double files = per == 1 ? 1 : per / mean_pages + 1;  // that a block touches
  const double before = std::exp(-moves) / (x.medium_moves + 1);
  const double in_phase = before + (1 - before) / per;
  return bytes + medium * (1 - std::pow(1 - renewed, files) * in_phase);
}

// Of the metadata, `start` bytes of it in whole blocks. Names that come or go move all that
// follows; where none does, only the records of files that changed or lie elsewhere differ.
double metadata_part(const StructureFacts& f, const StructureDesign& d, std::uint64_t start) {
  double changed = 0;
  bool moves = false;
  for (const FileFact& file : f.files) {
    if (file.change == FileChange::same) continue;
    if (file.change == FileChange::fresh) return static_cast<double>(start);
    ++changed;
    moves |= up(file.size, kPage) != up(file.old_size, kPage);
  }
  if (!f.gone.empty()) return static_cast<double>(start);
  const double block = static_cast<double>(d.block_size);
  const double blocks = std::ceil(static_cast<double>(f.entries) * 40 / block);
  const double hit = moves ? blocks : blocks * (1 - std::exp(-changed / blocks));
  return std::min(static_cast<double>(start), std::ceil(hit) * block);
}

}  // namespace

double structure::network_bytes(const StructureFacts& f, const StructureDesign& d,
                                const Items& items, std::uint64_t start,
                                const BlockSurvival* survival) {
  const bool strings = d.units == "strings";
  double bytes = metadata_part(f, d, start);
  bool bundle = !f.gone.empty();
  for (const FileFact& file : f.files) {
    const bool on_block = d.packing == "off" || file.size >= d.block_size;
    if (file.size < kPage && !on_block) bundle |= file.change != FileChange::same;
    if (file.change == FileChange::same || (!on_block && !strings)) continue;
    if (strings) {
      if (file.size >= kPage || d.packing != "path") bytes += static_cast<double>(file.size);
      continue;
    }
    const bool partly = file.change == FileChange::changed && survival != nullptr;
    bytes += static_cast<double>(up(file.size, d.block_size)) *
             (partly ? 1 - survival->of(static_cast<double>(d.block_size)) : 1);
  }
  if (strings) return bytes + (bundle && d.packing == "path" ? items.small_pages * kPage : 0);
  return bytes + (d.packing == "off" ? 0 : shared_part(f, d, items));
}

double BlockSurvival::of(double block_bytes) const {
  return std::exp(-std::pow(block_bytes / scale, shape));
}

BlockSurvival fit_survival(double block_a, double survival_a, double block_b, double survival_b) {
  if (!(survival_a > 0 && survival_a < 1 && survival_b > 0 && survival_b < 1))
    throw std::domain_error("survival of blocks must lie between 0 and 1");
  const double a = std::log(-std::log(survival_a)), b = std::log(-std::log(survival_b));
  BlockSurvival s;
  s.shape = (b - a) / (std::log(block_b) - std::log(block_a));
  s.scale = block_a * std::exp(-a / s.shape);
  return s;
}

BundleDamage bundle_damage(const std::vector<std::uint64_t>& sizes,
                           const std::vector<std::pair<std::uint64_t, std::uint64_t>>& changes) {
  BundleDamage d;
  if (sizes.empty() || changes.empty()) return d;
  constexpr int kTrials = 2000, kMost = 20000;
  Random random(1, sizes.size());
  const auto slots_of = [](std::uint64_t size) { return up(size, kSlot) / kSlot; };
  const auto draw = [&] { return slots_of(sizes[random.below(sizes.size())]); };
  const auto add = [](std::uint64_t& fill, std::uint64_t slots) {
    const bool fits = fill + slots <= kSlots;
    fill = fits ? fill + slots : slots;
    return slots > 0 && !fits ? 1 : 0;
  };
  for (int trial = 0; trial < kTrials; ++trial) {
    std::uint64_t a = 1 + random.below(kSlots);
    for (int i = 0; i < 16; ++i) add(a, draw());
    std::uint64_t b = a;
    const auto& [before, after] = changes[random.below(changes.size())];
    int pages_a = before > 0 ? add(a, slots_of(before)) : 0;
    int pages_b = after > 0 ? add(b, slots_of(after)) : 0;
    // The page of the change differs; so does each that is broken elsewhere.
    int damaged = 1;
    bool broke_apart = pages_a != pages_b;
    for (int i = 0; i < kMost && a != b; ++i) {
      const std::uint64_t slots = draw();
      const int breaks_a = add(a, slots), breaks_b = add(b, slots);
      pages_a += breaks_a, pages_b += breaks_b;
      damaged += breaks_b > 0 && a != b ? 1 : 0;
      broke_apart |= breaks_a != breaks_b;
    }
    d.pages += static_cast<double>(damaged + (broke_apart ? 1 : 0)) / kTrials;
    d.shift += (pages_a != pages_b ? 1.0 : 0.0) / kTrials;
  }
  return d;
}

}  // namespace missive
