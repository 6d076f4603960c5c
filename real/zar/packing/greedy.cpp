// Packing "greedy": Missive's greedy fit at the granularity of pages. The rest of each larger
// file's last page takes the largest small files that still fit; what is left over fills pages in
// the same manner. Least padding, but the last block of a larger file depends on its neighbours
// then, and is shared no more.

#include <array>
#include <bit>

#include "real/zar/layout.h"
#include "real/zar/packing.h"

namespace missive::zar {

namespace {

// Small files by size; among equals the first in path order comes out first.
class Shelf {
 public:
  explicit Shelf(std::span<const Content> contents) : next_(contents.size(), kNone) {
    for (std::size_t i = contents.size(); i-- > 0;) {
      if (contents[i].size >= kPage) continue;
      auto& head = heads_[contents[i].size];
      if (head == kNone) filled_[contents[i].size / 64] |= bit(contents[i].size);
      next_[i] = head;
      head = static_cast<std::uint32_t>(i);
      ++left_;
    }
  }
  bool empty() const { return left_ == 0; }
  // Takes the largest of at most `room` bytes; kNever when none fits.
  std::uint32_t take(std::uint64_t room) {
    if (room >= kPage) room = kPage - 1;
    std::size_t word = room / 64;
    std::uint64_t bits = filled_[word] & (bit(room) | (bit(room) - 1));
    while (bits == 0 && word > 0) bits = filled_[--word];
    if (bits == 0) return kNever;
    const std::size_t size = word * 64 + 63 - static_cast<std::size_t>(std::countl_zero(bits));
    const std::uint32_t found = heads_[size];
    heads_[size] = next_[found];
    if (heads_[size] == kNone) filled_[size / 64] &= ~bit(size);
    --left_;
    return found;
  }

 private:
  static constexpr std::uint32_t kNone = kNever;
  static std::uint64_t bit(std::uint64_t size) { return std::uint64_t{1} << (size % 64); }

  std::array<std::uint32_t, kPage> heads_ = [] {
    std::array<std::uint32_t, kPage> h{};
    h.fill(kNone);
    return h;
  }();
  std::array<std::uint64_t, kPage / 64> filled_{};
  std::vector<std::uint32_t> next_;
  std::size_t left_ = 0;
};

Packed pack(std::span<const Content> contents, std::uint32_t block_size) {
  Packed packed;
  Packer packer(packed);
  Shelf shelf(contents);
  const auto fill = [&](std::uint64_t room) {
    for (std::uint32_t i; room > 0 && (i = shelf.take(room)) != kNever; room = packer.room())
      packer.add(i, contents[i].size);
  };
  for (std::uint32_t i = 0; i < contents.size(); ++i) {
    if (contents[i].size < kPage) continue;
    packer.begin(false, contents[i].size >= block_size);
    packer.add(i, contents[i].size);
    fill(packer.room());
  }
  if (!shelf.empty()) packer.begin(true, false);
  while (!shelf.empty()) fill(kPage);
  return packed;
}

}  // namespace

const PackingChoice kPackingGreedy = {
    4, "greedy", "small files fill the last pages of larger ones, largest first (Missive)", true,
    pack};

}  // namespace missive::zar
