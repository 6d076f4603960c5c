#pragma once
// The Merkle tree of an image, and the image's name (docs/zarfile-format.md, "Units" and "Merkle
// tree and name").
//
// An image is cut into units: blocks of a fixed size, or pieces of different lengths
// ("content-defined", "whole files"). The hash of a unit is its address in a store. Over them lies
// a tree of one of two shapes:
//
//   plain      node   SHA-256(0x01 || level || at most `degree` children), level one byte, 1 just
//              above the leaves
//              name   SHA-256("missive-sim/image/2" || length || block size || degree || leaves ||
//              kinds || root)
//   fs-verity  what Linux computes for the same file (fsverity.rst): `fsverity digest` prints the
//              image's name
//
// The name fixes length, cutting, degree and number of leaves, hence the depth, so a node can never
// pass for a leaf. A tree over one unit has that leaf as its root.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "real/zar/digest.h"

namespace missive::zar {

enum class UnitKind : std::uint8_t { blocks = 0, cdc = 1, strings = 2 };
enum class TreeKind : std::uint8_t { plain = 0, fs_verity = 1 };

struct TreeShape {
  std::uint64_t length = 0;      // bytes of the image; a multiple of block_size
  std::uint32_t block_size = 0;  // power of two, 4 KiB .. 1 MiB
  std::uint32_t degree = 0;      // 2 .. 256; of fs-verity: block_size / 32
  UnitKind units = UnitKind::blocks;
  TreeKind tree = TreeKind::plain;
  std::uint8_t hash = 1;  // hash id: 1 = SHA-256

  std::uint64_t blocks() const { return length / block_size; }
  bool operator==(const TreeShape&) const = default;
};

// Throws InputError (prefixed with `where`) when the shape is out of range or contradicts itself.
void check(const TreeShape& shape, const std::string& where);

// Hashes of all blocks. `image.size()` must equal shape.length, and the units must be blocks.
// With more than one thread each takes blocks in turn.
std::vector<Digest> leaf_hashes(std::span<const std::byte> image, const TreeShape& shape,
                                unsigned threads = 1);
// Root over leaves (of blocks: leaves.size() == shape.blocks()).
Digest tree_root(std::span<const Digest> leaves, const TreeShape& shape);
// Name of a tree over `leaves` leaves.
Digest image_name(const Digest& root, const TreeShape& shape, std::uint64_t leaves);
// Of an image in blocks.
Digest image_name(const Digest& root, const TreeShape& shape);

// Number of inner nodes that tree_root hashes, and the bytes of digests that go into them: what a
// cost model charges for.
std::uint64_t inner_nodes(std::uint64_t leaves, std::uint32_t degree);
std::uint64_t inner_nodes(const TreeShape& shape);
// Digests that prove one leaf to somebody who knows the name: all siblings on the way to the root.
std::uint64_t proof_digests(std::uint64_t leaves, std::uint32_t degree);

const char* to_string(UnitKind kind);  // "blocks", "cdc", "strings"
const char* to_string(TreeKind kind);  // "plain", "fs-verity"

}  // namespace missive::zar
