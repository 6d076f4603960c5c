#pragma once
// A recipe: the list of unit hashes a client needs to know what it lacks. Wire and disk form in
// docs/zarfile-format.md, "Recipe". A recipe is not trusted: name() recomputes the image's name
// from it, and only a recipe whose name equals the one in a signed boot block describes that image.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "real/zar/merkle.h"
#include "real/zar/units.h"

namespace missive::zar {

class Image;

struct Recipe {
  // Where a unit lies when units are not blocks: so many zeros behind the unit before it, and its
  // length.
  struct Cut {
    std::uint32_t gap = 0, length = 0;
    bool operator==(const Cut&) const = default;
  };

  TreeShape shape;
  std::vector<Digest> leaves;  // hash of each unit: its address
  std::vector<Cut> cuts;       // one for each leaf; empty when the units are blocks

  Digest name() const;
  std::vector<std::byte> serialize() const;
  // Throws InputError: wrong magic, length that does not fit the shape, shape out of range, units
  // outside the image. Allocates no more than a small multiple of the input's own size.
  static Recipe parse(std::span<const std::byte> data, const std::string& where);
};

// Bytes of one unit in the wire form: 32, or 40 with its cut.
std::uint32_t recipe_record(UnitKind units);

// Bytes of the wire form of an image in blocks.
std::uint64_t recipe_bytes(const TreeShape& shape);

// Recipe of an image in memory, in blocks.
Recipe make_recipe(std::span<const std::byte> image, std::uint32_t block_size,
                   std::uint32_t degree);
// As the image says that it is cut. Throws InputError when bytes outside its units are not zero.
Recipe make_recipe(const Image& image, unsigned threads = 1);
// Of units in the order of their offsets. Throws InputError when a gap has 4 GiB or more.
Recipe make_recipe(const TreeShape& shape, std::span<const Unit> units);

}  // namespace missive::zar
