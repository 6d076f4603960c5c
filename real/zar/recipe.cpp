#include "real/zar/recipe.h"

#include <algorithm>
#include <limits>

#include "models/error.h"
#include "real/zar/image.h"
#include "real/zar/wire.h"

namespace missive::zar {

namespace {

constexpr std::uint32_t kCutRecord = 8;

std::vector<Recipe::Cut> read_cuts(FieldReader& p, const TreeShape& shape, std::size_t count,
                                   const std::string& where) {
  std::vector<Recipe::Cut> cuts(count);
  std::uint64_t end = 0;
  for (Recipe::Cut& cut : cuts) {
    const std::size_t at = p.at();
    cut.gap = p.get<std::uint32_t>();
    cut.length = p.get<std::uint32_t>();
    end += std::uint64_t{cut.gap} + cut.length;
    if (cut.length == 0 || cut.length > kMaxUnit || end > shape.length)
      throw InputError(where + ": byte " + std::to_string(at) +
                       ": unit that is empty, too long or outside the image");
  }
  return cuts;
}

}  // namespace

std::uint32_t recipe_record(UnitKind units) {
  return sizeof(Digest) + (units == UnitKind::blocks ? 0 : kCutRecord);
}

std::uint64_t recipe_bytes(const TreeShape& shape) {
  constexpr std::uint64_t kHead = 32;
  return kHead + shape.blocks() * recipe_record(UnitKind::blocks);
}

// The tree binds where each unit lies, not only what it holds.
Digest Recipe::name() const {
  if (shape.units == UnitKind::blocks) return image_name(tree_root(leaves, shape), shape);
  if (cuts.size() != leaves.size()) throw InputError("recipe: units without their places");
  Hasher hasher;
  std::vector<Digest> bound;
  bound.reserve(leaves.size());
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    FieldWriter b;
    b.put<std::uint8_t>(2).put<std::uint32_t>(cuts[i].gap).put<std::uint32_t>(cuts[i].length);
    bound.push_back(hasher.update(b.bytes()).hash(leaves[i].bytes));
  }
  return image_name(tree_root(bound, shape), shape, leaves.size());
}

std::vector<std::byte> Recipe::serialize() const {
  FieldWriter b;
  b.put_text(kRecipeMagic).put<std::uint32_t>(kFormVersion);
  b.put<std::uint8_t>(shape.hash).put<std::uint8_t>(static_cast<std::uint8_t>(shape.units));
  b.put<std::uint8_t>(static_cast<std::uint8_t>(shape.tree)).put<std::uint8_t>(0);
  b.put<std::uint64_t>(shape.length);
  b.put<std::uint32_t>(shape.block_size).put<std::uint32_t>(shape.degree);
  for (const Cut& cut : cuts) b.put<std::uint32_t>(cut.gap).put<std::uint32_t>(cut.length);
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
  Recipe recipe;
  recipe.shape.hash = p.get<std::uint8_t>();
  recipe.shape.units = UnitKind{p.get<std::uint8_t>()};
  recipe.shape.tree = TreeKind{p.get<std::uint8_t>()};
  if (p.get<std::uint8_t>() != 0) throw InputError(where + ": byte 15: reserved field is not zero");
  recipe.shape.length = p.get<std::uint64_t>();
  recipe.shape.block_size = p.get<std::uint32_t>();
  recipe.shape.degree = p.get<std::uint32_t>();
  check(recipe.shape, where);
  // Compared before anything is allocated: the leaves can never outgrow the input.
  const std::uint32_t record = recipe_record(recipe.shape.units);
  const std::size_t count = p.left() / record;
  const bool blocks = recipe.shape.units == UnitKind::blocks;
  if (p.left() % record != 0 || count == 0 || (blocks && count != recipe.shape.blocks()))
    throw InputError(
        where + ": " + std::to_string(p.left()) + " bytes of hashes; " +
        (blocks ? std::to_string(recipe.shape.blocks()) + " blocks need " +
                      std::to_string(recipe.shape.blocks() * sizeof(Digest))
                : "units take " + std::to_string(record) + " bytes each, and there is at least 1"));
  if (!blocks) recipe.cuts = read_cuts(p, recipe.shape, count, where);
  recipe.leaves.resize(count);
  for (Digest& leaf : recipe.leaves) {
    const auto bytes = p.take(leaf.bytes.size());
    std::copy(bytes.begin(), bytes.end(), leaf.bytes.begin());
  }
  return recipe;
}

Recipe make_recipe(std::span<const std::byte> image, std::uint32_t block_size,
                   std::uint32_t degree) {
  Recipe recipe;
  recipe.shape.length = image.size();
  recipe.shape.block_size = block_size;
  recipe.shape.degree = degree;
  check(recipe.shape, "recipe");
  recipe.leaves = leaf_hashes(image, recipe.shape);
  return recipe;
}

Recipe make_recipe(const TreeShape& shape, std::span<const Unit> units) {
  Recipe recipe;
  recipe.shape = shape;
  check(shape, "recipe");
  std::uint64_t end = 0;
  for (const Unit& unit : units) {
    if (unit.offset < end) throw InputError("recipe: units overlap or are out of order");
    const std::uint64_t gap = unit.offset - end;
    if (gap > std::numeric_limits<std::uint32_t>::max())
      throw InputError("recipe: " + std::to_string(gap) +
                       " zeros between two units; a recipe can say less than 4 GiB: choose another "
                       "placement");
    recipe.cuts.push_back({static_cast<std::uint32_t>(gap), unit.length});
    recipe.leaves.push_back(unit.digest);
    end = unit.offset + unit.length;
  }
  return recipe;
}

Recipe make_recipe(const Image& image, unsigned threads) {
  const TreeShape& shape = image.shape();
  if (shape.units == UnitKind::blocks) {
    Recipe recipe;
    recipe.shape = shape;
    recipe.leaves = leaf_hashes(image.data(), shape, threads);
    return recipe;
  }
  const auto units =
      cut(image.data(), image.content_start(), image.pieces(), shape, image.chunking(), threads);
  std::uint64_t end = 0;
  for (std::size_t i = 0; i <= units.size(); ++i) {
    const std::uint64_t next = i < units.size() ? units[i].offset : shape.length;
    if (!all_zero(image.data().subspan(end, next - end)))
      throw InputError("image: bytes that belong to no unit are not zero, between " +
                       std::to_string(end) + " and " + std::to_string(next) +
                       "; it was changed after it was built");
    if (i < units.size()) end = units[i].offset + units[i].length;
  }
  return make_recipe(shape, units);
}

}  // namespace missive::zar
