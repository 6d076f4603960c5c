#pragma once
// Units: what an image is cut into for hashing, storing and sending. Three choices, one file each
// in units/:
//
//   blocks   [0, block size), [block size, ...) of the image, whatever lies there
//   cdc      each piece is cut where its content says so (FastCDC), so that an insertion moves cuts
//            only nearby
//   strings  each piece whole: one file, or one bundle of small files
//
// A *piece* is what placement moves as a whole: a file, a data run of a sparse file, a bundle of
// small files. Zeros between pieces belong to no unit. The metadata in front is cut into pieces of
// the block size, whatever the choice.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "real/zar/choice.h"
#include "real/zar/merkle.h"

namespace missive::zar {

// Of content-defined units, in bytes. The average is a power of two and is met for random content
// within about 10 % (the minimum shifts it up, the sharper mask before the average down).
struct Chunking {
  std::uint32_t min = 4096, average = 16384, max = 65536;
  bool operator==(const Chunking&) const = default;
};
// 64 <= min < average < max <= 16 MiB. Throws InputError prefixed with `where`.
void check(const Chunking& chunking, const std::string& where);

struct Piece {
  std::uint64_t offset = 0, length = 0;
  std::uint64_t end() const { return offset + length; }
  bool operator==(const Piece&) const = default;
};

struct Unit {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  Digest digest;
  bool operator==(const Unit&) const = default;
};

inline constexpr std::uint32_t kMaxUnit = 1 << 30;  // longer strings are cut there

// Cuts a piece that comes as a stream. Not for two threads at once.
class Cutter {
 public:
  struct Step {
    std::size_t count = 0;  // bytes of the data that belong to the current unit
    bool ends = false;      // and with them it ends
  };
  virtual ~Cutter() = default;
  // `data` is not empty. The end of a piece ends its last unit without being asked for: reset().
  virtual Step next(std::span<const std::byte> data) = 0;
  virtual void reset() = 0;
};

struct UnitChoice {
  UnitKind kind;
  std::uint8_t id;
  const char* name;
  const char* what;
  std::unique_ptr<Cutter> (*cutter)(std::uint32_t block_size, const Chunking& chunking);
};
const std::vector<const UnitChoice*>& unit_choices();
const UnitChoice& unit_choice(UnitKind kind);

extern const UnitChoice kUnitBlocks, kUnitCdc, kUnitStrings;

// The units of `metadata` bytes in front and of `pieces` (sorted, behind them) of an image in
// memory, hashed. `shape.units` must not be blocks.
std::vector<Unit> cut(std::span<const std::byte> image, std::uint64_t metadata,
                      std::span<const Piece> pieces, const TreeShape& shape,
                      const Chunking& chunking, unsigned threads = 1);

}  // namespace missive::zar
