#include "real/zar/units.h"

#include <algorithm>
#include <bit>
#include <stdexcept>

#include "models/error.h"
#include "real/zar/parallel.h"

namespace missive::zar {

void check(const Chunking& c, const std::string& where) {
  if (c.min < 64 || c.min >= c.average || c.average >= c.max || c.max > 16U << 20U ||
      !std::has_single_bit(c.average))
    throw InputError(where + ": content-defined units of " + std::to_string(c.min) + ", " +
                     std::to_string(c.average) + ", " + std::to_string(c.max) +
                     " bytes; they need 64 <= min < average < max <= 16 MiB, and the average must "
                     "be a power of two");
}

const std::vector<const UnitChoice*>& unit_choices() {
  static const std::vector<const UnitChoice*> all = {&kUnitBlocks, &kUnitCdc, &kUnitStrings};
  return all;
}

const UnitChoice& unit_choice(UnitKind kind) {
  for (const UnitChoice* c : unit_choices())
    if (c->kind == kind) return *c;
  throw std::logic_error("kind of units");
}

std::vector<Unit> cut(std::span<const std::byte> image, std::uint64_t metadata,
                      std::span<const Piece> pieces, const TreeShape& shape,
                      const Chunking& chunking, unsigned threads) {
  std::vector<Unit> units;
  for (std::uint64_t at = 0; at < metadata; at += shape.block_size) {
    const std::uint64_t length = std::min<std::uint64_t>(shape.block_size, metadata - at);
    units.push_back({at, static_cast<std::uint32_t>(length), sha256(image.subspan(at, length))});
  }
  std::vector<std::vector<Unit>> found(pieces.size());
  in_parallel(threads, pieces.size(), [&](std::size_t i) {
    thread_local Hasher hasher;
    const Piece& piece = pieces[i];
    const auto cutter = unit_choice(shape.units).cutter(shape.block_size, chunking);
    std::uint64_t from = piece.offset;
    for (std::uint64_t at = from; at < piece.end();) {
      const Cutter::Step step = cutter->next(image.subspan(at, piece.end() - at));
      at += step.count;
      if (!step.ends && at != piece.end()) continue;
      found[i].push_back({from, static_cast<std::uint32_t>(at - from),
                          hasher.hash(image.subspan(from, at - from))});
      from = at;
    }
  });
  for (const auto& part : found) units.insert(units.end(), part.begin(), part.end());
  return units;
}

}  // namespace missive::zar
