#include "real/zar/merkle.h"

#include <bit>

#include "models/error.h"
#include "real/zar/wire.h"

namespace missive::zar {

namespace {

constexpr std::uint32_t kMinBlock = 4096, kMaxBlock = 1 << 20;
constexpr std::uint64_t kMaxLength = std::uint64_t{1} << 40;

std::uint64_t parents(std::uint64_t nodes, std::uint32_t degree) {
  return (nodes + degree - 1) / degree;
}

}  // namespace

void check(const TreeShape& shape, const std::string& where) {
  if (!std::has_single_bit(shape.block_size) || shape.block_size < kMinBlock ||
      shape.block_size > kMaxBlock)
    throw InputError(where + ": block size " + std::to_string(shape.block_size) +
                     "; it must be a power of two from 4096 to 1048576");
  if (shape.degree < 2 || shape.degree > 256)
    throw InputError(where + ": tree degree " + std::to_string(shape.degree) +
                     "; it must be from 2 to 256");
  if (shape.length == 0 || shape.length > kMaxLength || shape.length % shape.block_size != 0)
    throw InputError(where + ": image length " + std::to_string(shape.length) +
                     "; it must be a multiple of the block size " +
                     std::to_string(shape.block_size) + ", above 0 and at most 1 TiB");
}

std::vector<Digest> leaf_hashes(std::span<const std::byte> image, const TreeShape& shape) {
  check(shape, "tree shape");
  if (image.size() != shape.length)
    throw InputError("image of " + std::to_string(image.size()) +
                     " bytes; its tree describes one of " + std::to_string(shape.length));
  std::vector<Digest> leaves;
  leaves.reserve(shape.blocks());
  Hasher hasher;
  for (std::size_t at = 0; at < image.size(); at += shape.block_size)
    leaves.push_back(hasher.hash(image.subspan(at, shape.block_size)));
  return leaves;
}

Digest tree_root(std::span<const Digest> leaves, const TreeShape& shape) {
  check(shape, "tree shape");
  if (leaves.size() != shape.blocks())
    throw InputError(std::to_string(leaves.size()) + " leaves for a tree over " +
                     std::to_string(shape.blocks()) + " blocks");
  Hasher hasher;
  std::vector<Digest> level(leaves.begin(), leaves.end());
  for (std::uint8_t height = 1; level.size() > 1; ++height) {
    const std::byte prefix[2] = {std::byte{1}, std::byte{height}};
    // Parents overwrite the front of the same vector: parent i is written after its children, which
    // start at i * degree >= i, were read.
    const std::size_t count = parents(level.size(), shape.degree);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t first = i * shape.degree;
      const std::size_t last = std::min<std::size_t>(first + shape.degree, level.size());
      hasher.update(prefix);
      for (std::size_t child = first; child < last; ++child) hasher.update(level[child].bytes);
      level[i] = hasher.finish();
    }
    level.resize(count);
  }
  return level.front();
}

Digest image_name(const Digest& root, const TreeShape& shape) {
  FieldWriter b;
  b.put_text("missive-sim/image/1");
  b.put<std::uint64_t>(shape.length).put<std::uint64_t>(shape.block_size);
  b.put<std::uint64_t>(shape.degree).put_bytes(root.bytes);
  return sha256(b.bytes());
}

std::uint64_t inner_nodes(const TreeShape& shape) {
  check(shape, "tree shape");
  std::uint64_t total = 0;
  for (std::uint64_t nodes = shape.blocks(); nodes > 1;) {
    nodes = parents(nodes, shape.degree);
    total += nodes;
  }
  return total;
}

}  // namespace missive::zar
