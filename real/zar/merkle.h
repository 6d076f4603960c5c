#pragma once
// The Merkle tree of an image, and the image's name.
//
//   leaf   SHA-256(block): also the block's address in a store of blocks
//   node   SHA-256(0x01 || level || at most `degree` children), level one byte, 1 just above leaves
//   name   SHA-256("missive-sim/image/1" || length || block size || degree || root), integers
//   64-bit
//          little-endian
//
// The name fixes length, block size and degree, hence the depth, so a node can never pass for a
// leaf. A tree over one block has that leaf as its root.

#include <cstdint>
#include <span>
#include <vector>

#include "real/zar/digest.h"

namespace missive::zar {

struct TreeShape {
  std::uint64_t length = 0;      // bytes of the image; a multiple of block_size
  std::uint32_t block_size = 0;  // power of two, 4 KiB .. 1 MiB
  std::uint32_t degree = 0;      // 2 .. 256
  std::uint64_t blocks() const { return length / block_size; }
  bool operator==(const TreeShape&) const = default;
};

// Throws InputError (prefixed with `where`) when the shape is out of range or the length is no
// multiple.
void check(const TreeShape& shape, const std::string& where);

// Leaf hashes of all blocks. `image.size()` must equal shape.length.
std::vector<Digest> leaf_hashes(std::span<const std::byte> image, const TreeShape& shape);
// Root over leaves (leaves.size() == shape.blocks()).
Digest tree_root(std::span<const Digest> leaves, const TreeShape& shape);
Digest image_name(const Digest& root, const TreeShape& shape);
// Number of inner nodes that tree_root hashes: what a cost model charges for.
std::uint64_t inner_nodes(const TreeShape& shape);

}  // namespace missive::zar
