// Units "strings": each piece is one unit. Shares whole files at any place, and nothing less.

#include <algorithm>

#include "real/zar/units.h"

namespace missive::zar {

namespace {

class Whole : public Cutter {
 public:
  Step next(std::span<const std::byte> data) override {
    const std::size_t count = std::min<std::size_t>(data.size(), kMaxUnit - length_);
    length_ += count;
    const bool ends = length_ == kMaxUnit;
    if (ends) length_ = 0;
    return {count, ends};
  }
  void reset() override { length_ = 0; }

 private:
  std::size_t length_ = 0;
};

std::unique_ptr<Cutter> make(std::uint32_t, const Chunking&) { return std::make_unique<Whole>(); }

}  // namespace

const UnitChoice kUnitStrings = {UnitKind::strings, 2, "strings", "each file or bundle whole",
                                 make};

}  // namespace missive::zar
