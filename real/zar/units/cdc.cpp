// Units "cdc": content-defined chunks after FastCDC (Xia et al., USENIX ATC 2016): a gear hash, no
// look at the first `min` bytes of a unit, and a mask that is two bits sharper before the average
// size than after it ("normalised chunking, level 2").
//
//   hash = (hash << 1) + gear[byte]          over 64 bits, 0 at byte `min` of each unit
//   cut after a byte when the highest n bits of the hash are zero; n = lg(average) + 2 while the
//   unit is shorter than the average, lg(average) - 2 from then on; at `max` in any case
//
// The highest bits depend on the last 64 bytes; the paper spreads its mask bits for the same
// effect. gear[i] = the first 8 bytes, little-endian, of SHA-256("missive-sim/gear/1" || i): no
// table to copy, and nobody chose it.

#include <array>
#include <bit>

#include "real/zar/units.h"
#include "real/zar/wire.h"

namespace missive::zar {

namespace {

const std::array<std::uint64_t, 256>& gear() {
  static const std::array<std::uint64_t, 256> table = [] {
    std::array<std::uint64_t, 256> t{};
    for (unsigned i = 0; i < t.size(); ++i) {
      FieldWriter seed;
      seed.put_text("missive-sim/gear/1").put<std::uint8_t>(static_cast<std::uint8_t>(i));
      t[i] = load_le<std::uint64_t>(sha256(seed.bytes()).bytes, 0);
    }
    return t;
  }();
  return table;
}

class FastCdc : public Cutter {
 public:
  explicit FastCdc(const Chunking& c) : sizes_(c) {
    const int bits = std::countr_zero(c.average);
    sharp_ = ~std::uint64_t{0} << (64 - (bits + 2));
    blunt_ = ~std::uint64_t{0} << (64 - (bits - 2));
  }

  Step next(std::span<const std::byte> data) override {
    std::size_t i = 0;
    if (length_ < sizes_.min) {
      i = std::min<std::size_t>(data.size(), sizes_.min - length_);
      length_ += static_cast<std::uint32_t>(i);
    }
    if (scan(data, i, sizes_.average, sharp_) || scan(data, i, sizes_.max, blunt_) ||
        length_ == sizes_.max) {
      reset();
      return {i, true};
    }
    return {i, false};
  }
  void reset() override { length_ = 0, hash_ = 0; }

 private:
  // Up to `limit` bytes of the unit; true when it is to be cut after data[i - 1].
  bool scan(std::span<const std::byte> data, std::size_t& i, std::uint32_t limit,
            std::uint64_t mask) {
    if (length_ >= limit) return false;
    const std::size_t first = i;
    const std::size_t end = std::min<std::size_t>(data.size(), first + (limit - length_));
    const auto& table = gear();
    std::uint64_t hash = hash_;
    bool cut = false;
    while (i < end && !cut) {
      hash = (hash << 1) + table[std::to_integer<std::size_t>(data[i++])];
      cut = (hash & mask) == 0;
    }
    hash_ = hash;
    length_ += static_cast<std::uint32_t>(i - first);
    return cut;
  }

  Chunking sizes_;
  std::uint64_t sharp_ = 0, blunt_ = 0;
  std::uint64_t hash_ = 0;
  std::uint32_t length_ = 0;
};

std::unique_ptr<Cutter> make(std::uint32_t, const Chunking& chunking) {
  return std::make_unique<FastCdc>(chunking);
}

}  // namespace

const UnitChoice kUnitCdc = {UnitKind::cdc, 1, "cdc", "content-defined chunks (FastCDC)", make};

}  // namespace missive::zar
