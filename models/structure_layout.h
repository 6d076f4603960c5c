#pragma once
// An image page by page, laid out from what a manifest says of its files: names' order, sizes, and
// which contents are equal. No content is read. Two images of which a page has the same key have
// the same bytes there.
//
// Packing and placement follow docs/zarfile-format.md and are exact, with one exception: where
// hashes of contents decide (placement "stable") and are not known, others are drawn, and the
// layout is one of those that could have been. Written apart from the builder, which it is held
// against.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "models/structure.h"

namespace missive::structure {

// What is hashed as a whole: a block, or (units "strings") a file or bundle.
struct LaidUnit {
  std::uint64_t offset = 0, bytes = 0, key = 0;
};

struct Layout {
  std::uint64_t content_start = 0, end = 0, content_end = 0;  // bytes; `end` in whole blocks
  std::uint64_t scrap_items = 0;
  std::vector<LaidUnit> units;
};

// Keys of a file's pages. They are the digests of its pages where these are known, and made from
// the number of its content and that of the page where not: then no page is equal to one of
// another file, nor to padding, which has the key of zeros, 0.
class PageKeys {
 public:
  explicit PageKeys(const HeldPages* held = nullptr) : held_(held) {}
  virtual ~PageKeys() = default;
  PageKeys(const PageKeys&) = delete;
  PageKeys& operator=(const PageKeys&) = delete;
  // Of pages 0 .. keys.size() - 1, which are all of the file.
  virtual void of(const FileFact& file, std::span<std::uint64_t> keys) const;

 protected:
  void of_content(std::uint64_t content, std::span<std::uint64_t> keys) const;

 private:
  const HeldPages* held_;
};

// Items, as a packing leaves them.
struct LaidItem {
  std::uint64_t size = 0, key = 0;
  std::uint32_t rank = FileFact::kNever;
  bool small = false, on_block = false;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> members;  // file, offset; by offset
};

// The steps of docs/zarfile-format.md, over facts: packings "off", "page", "path" and "greedy".
std::vector<LaidItem> pack(const StructureFacts& facts, const StructureDesign& design);

// Hashes of items, for placement "stable": those of contents that are known, drawn ones otherwise.
class PlaceHashes {
 public:
  explicit PlaceHashes(const ContentHashes* known, std::uint64_t draw)
      : known_(known), draw_(draw) {}
  // Of items of one size the smaller number comes first.
  std::uint64_t order(const LaidItem& item) const;
  // Where an item wants to lie, at its attempt 0 .. 9: any number, to be masked.
  std::uint64_t wish(const LaidItem& item, unsigned attempt) const;

 private:
  const ContentHashes* known_;
  std::uint64_t draw_;
};

// Where items lie, and how many found no place of their own.
struct LaidPlaces {
  std::vector<std::uint64_t> offsets;
  std::uint64_t end = 0, scrap_items = 0;
};
LaidPlaces place_by_hash(const std::vector<LaidItem>& items, std::uint64_t start,
                         std::uint64_t block_size, const PlaceHashes& hashes);

// Whether packing and units are among those of which layouts are made: the packings of pack(),
// units "blocks" and "strings".
bool laid_out(const StructureDesign& design);
// Nothing where not. `metadata`: bytes in front.
std::optional<Layout> lay_out(const StructureFacts& facts, const StructureDesign& design,
                              std::uint64_t metadata, const PageKeys& keys,
                              const PlaceHashes& hashes);
// Whether that layout has no drawn hash in it.
bool hashes_known(const StructureFacts& facts, const StructureDesign& design,
                  const ContentHashes* known);

// A number that has nothing to do with those it is made of: the finaliser of MurmurHash3 (Appleby,
// public domain) over their sum.
std::uint64_t mixed(std::uint64_t a, std::uint64_t b);

}  // namespace missive::structure
