#pragma once
// Packing: which files share pages. It turns contents into *items*, each of which placement moves
// as a whole. One file for each choice, in packing/.
//
// What every packing has to keep, because readers rely on it (docs/zarfile-format.md, "Content"):
// content of a page or more starts on a page; smaller content does too, unless the packing shares
// pages: then it starts at a multiple of 8 and does not cross a page boundary. Items start on pages
// or blocks.

#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "real/zar/choice.h"

namespace missive::zar {

inline constexpr std::uint32_t kNever = std::numeric_limits<std::uint32_t>::max();

// What is stored as one stretch: a file, or a data run of a sparse or partial one.
struct Content {
  std::string_view path;
  std::uint64_t size = 0;       // at least 1
  std::uint32_t rank = kNever;  // when the traced start first needed it: 0, 1, 2, ...
};

struct Packed {
  struct Member {
    std::uint32_t content = 0;  // index into the contents
    std::uint64_t offset = 0;   // within the item
  };
  struct Item {
    std::uint64_t size = 0;
    std::uint32_t first = 0, count = 0;  // of members, by offset
    bool small = false;                  // a bundle of small files, or one alone
    bool on_block = false;               // starts on a block boundary, not only on a page
  };
  std::vector<Member> members;
  std::vector<Item> items;

  std::span<const Member> of(const Item& item) const {
    return std::span(members).subspan(item.first, item.count);
  }
};

// Adds items to a Packed, one member after the other.
class Packer {
 public:
  explicit Packer(Packed& packed) : packed_(packed) {}
  // Starts an item.
  Packed::Item& begin(bool small, bool on_block);
  // Puts content behind what the item holds: at the next multiple of 8, or on the next page if it
  // would cross one.
  void add(std::uint32_t content, std::uint64_t size);
  // Bytes left in the item's last page for a multiple of 8.
  std::uint64_t room() const;

 private:
  Packed& packed_;
};

struct PackingChoice {
  std::uint8_t id;
  const char* name;
  const char* what;
  bool shares_pages;
  // `contents` are in path order. Deterministic: nothing but the arguments counts.
  Packed (*pack)(std::span<const Content> contents, std::uint32_t block_size);
};
const std::vector<const PackingChoice*>& packings();

extern const PackingChoice kPackingPath, kPackingPage, kPackingOff, kPackingGreedy,
    kPackingDirectory, kPackingLaunch;

// Contents of a page or more, one item each, in their order: what most packings end with. Those of
// a block or more start on a block.
void pack_large(std::span<const Content> contents, std::uint32_t block_size, Packed& packed);

}  // namespace missive::zar
