#include "real/zar/recipe.h"

#include <algorithm>

#include "models/error.h"
#include "real/zar/wire.h"

namespace missive::zar {

std::vector<std::byte> Recipe::serialize() const {
  FieldWriter b;
  b.put_text(kRecipeMagic).put<std::uint32_t>(kFormVersion).put<std::uint32_t>(kHashSha256);
  b.put<std::uint64_t>(shape.length);
  b.put<std::uint32_t>(shape.block_size).put<std::uint32_t>(shape.degree);
  for (const Digest& leaf : leaves) b.put_bytes(leaf.bytes);
  return b.take();
}

Recipe Recipe::parse(std::span<const std::byte> data, const std::string& where) {
  FieldReader p(data, where);
  if (!equal_text(p.take(kRecipeMagic.size()), kRecipeMagic))
    throw InputError(where + ": not a recipe (wrong magic number)");
  const auto version = p.get<std::uint32_t>();
  if (version != kFormVersion)
    throw InputError(where + ": recipe version " + std::to_string(version) +
                     "; this program reads version 1");
  const auto hash = p.get<std::uint32_t>();
  if (hash != kHashSha256) throw InputError(where + ": unknown hash id " + std::to_string(hash));
  Recipe recipe;
  recipe.shape.length = p.get<std::uint64_t>();
  recipe.shape.block_size = p.get<std::uint32_t>();
  recipe.shape.degree = p.get<std::uint32_t>();
  check(recipe.shape, where);
  // Compared before anything is allocated: the leaves can never outgrow the input.
  if (p.left() % sizeof(Digest) != 0 || p.left() / sizeof(Digest) != recipe.shape.blocks())
    throw InputError(where + ": " + std::to_string(p.left()) + " bytes of block hashes; " +
                     std::to_string(recipe.shape.blocks()) + " blocks need " +
                     std::to_string(recipe.shape.blocks() * sizeof(Digest)));
  recipe.leaves.resize(recipe.shape.blocks());
  for (Digest& leaf : recipe.leaves) {
    const auto bytes = p.take(leaf.bytes.size());
    std::copy(bytes.begin(), bytes.end(), leaf.bytes.begin());
  }
  return recipe;
}

Recipe make_recipe(std::span<const std::byte> image, std::uint32_t block_size,
                   std::uint32_t degree) {
  Recipe recipe;
  recipe.shape = {image.size(), block_size, degree};
  check(recipe.shape, "recipe");
  recipe.leaves = leaf_hashes(image, recipe.shape);
  return recipe;
}

}  // namespace missive::zar
