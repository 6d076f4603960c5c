#pragma once
// A recipe: the list of block hashes a client needs to know what it lacks. Wire and disk form in
// docs/zarfile-format.md, "Recipe". A recipe is not trusted: name() recomputes the image's name
// from it, and only a recipe whose name equals the one in a signed boot block describes that image.

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "real/zar/merkle.h"

namespace missive::zar {

struct Recipe {
  TreeShape shape;
  std::vector<Digest> leaves;

  Digest name() const { return image_name(tree_root(leaves, shape), shape); }
  std::vector<std::byte> serialize() const;
  // Throws InputError: wrong magic, length that does not fit the shape, shape out of range.
  // Allocates no more than the input's own size.
  static Recipe parse(std::span<const std::byte> data, const std::string& where);
};

// Recipe of an image in memory.
Recipe make_recipe(std::span<const std::byte> image, std::uint32_t block_size,
                   std::uint32_t degree);

}  // namespace missive::zar
