#include "real/zar/merkle.h"

#include <algorithm>
#include <bit>
#include <vector>

#include "models/error.h"
#include "real/zar/parallel.h"
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
  if (shape.hash != kHashSha256)
    throw InputError(where + ": hash id " + std::to_string(shape.hash) + "; known is 1 (SHA-256)");
  if (shape.units > UnitKind::strings)
    throw InputError(where + ": kind of units " +
                     std::to_string(static_cast<unsigned>(shape.units)) + "; known are 0, 1 and 2");
  if (shape.tree > TreeKind::fs_verity)
    throw InputError(where + ": kind of tree " + std::to_string(static_cast<unsigned>(shape.tree)) +
                     "; known are 0 and 1");
  if (shape.tree == TreeKind::fs_verity &&
      (shape.units != UnitKind::blocks || shape.degree * sizeof(Digest) != shape.block_size))
    throw InputError(
        where + ": an fs-verity tree of degree " + std::to_string(shape.degree) + " over " +
        to_string(shape.units) + " of " + std::to_string(shape.block_size) +
        " bytes; its nodes are blocks of digests: degree 128 for 4 KiB, 256 for 8 KiB");
}

std::vector<Digest> leaf_hashes(std::span<const std::byte> image, const TreeShape& shape,
                                unsigned threads) {
  check(shape, "tree shape");
  if (shape.units != UnitKind::blocks)
    throw InputError("tree shape: an image cut into " + std::string(to_string(shape.units)) +
                     " has no block hashes; hash its units (units.h)");
  if (image.size() != shape.length)
    throw InputError("image of " + std::to_string(image.size()) +
                     " bytes; its tree describes one of " + std::to_string(shape.length));
  std::vector<Digest> leaves(shape.blocks());
  constexpr std::size_t kShare = 4 << 20;  // bytes a thread takes at once; whole blocks
  in_parallel(threads, (image.size() + kShare - 1) / kShare, [&](std::size_t share) {
    Hasher hasher;
    const std::size_t end = std::min(image.size(), (share + 1) * kShare);
    for (std::size_t at = share * kShare; at < end; at += shape.block_size)
      leaves[at / shape.block_size] = hasher.hash(image.subspan(at, shape.block_size));
  });
  return leaves;
}

namespace {

Digest plain_root(std::vector<Digest> level, std::uint32_t degree) {
  Hasher hasher;
  for (std::uint8_t height = 1; level.size() > 1; ++height) {
    const std::byte prefix[2] = {std::byte{1}, std::byte{height}};
    // Parents overwrite the front of the same vector: parent i is written after its children, which
    // start at i * degree >= i, were read.
    const std::size_t count = parents(level.size(), degree);
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t first = i * degree;
      const std::size_t last = std::min<std::size_t>(first + degree, level.size());
      hasher.update(prefix);
      for (std::size_t child = first; child < last; ++child) hasher.update(level[child].bytes);
      level[i] = hasher.finish();
    }
    level.resize(count);
  }
  return level.front();
}

// Each node is a block of digests, the last one filled up with zeros.
Digest verity_root(std::vector<Digest> level, std::uint32_t block_size) {
  const std::size_t degree = block_size / sizeof(Digest);
  const std::vector<std::byte> zeros(block_size);
  Hasher hasher;
  while (level.size() > 1) {
    const std::size_t count = (level.size() + degree - 1) / degree;
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t first = i * degree, last = std::min(first + degree, level.size());
      for (std::size_t child = first; child < last; ++child) hasher.update(level[child].bytes);
      hasher.update(std::span(zeros).first(block_size - (last - first) * sizeof(Digest)));
      level[i] = hasher.finish();
    }
    level.resize(count);
  }
  return level.front();
}

// struct fsverity_descriptor (fsverity.rst, "Measuring a file"), without salt or signature.
Digest verity_name(const Digest& root, const TreeShape& shape) {
  FieldWriter b;
  b.put<std::uint8_t>(1);  // version
  b.put<std::uint8_t>(1);  // FS_VERITY_HASH_ALG_SHA256
  b.put<std::uint8_t>(static_cast<std::uint8_t>(std::countr_zero(shape.block_size)));
  b.put<std::uint8_t>(0).put<std::uint32_t>(0);  // salt size, reserved
  b.put<std::uint64_t>(shape.length).put_bytes(root.bytes).align(256);
  return sha256(b.bytes());
}

}  // namespace

Digest tree_root(std::span<const Digest> leaves, const TreeShape& shape) {
  check(shape, "tree shape");
  if (leaves.empty() || (shape.units == UnitKind::blocks && leaves.size() != shape.blocks()))
    throw InputError(std::to_string(leaves.size()) + " leaves for a tree over " +
                     std::to_string(shape.blocks()) + " blocks");
  std::vector<Digest> level(leaves.begin(), leaves.end());
  return shape.tree == TreeKind::fs_verity ? verity_root(std::move(level), shape.block_size)
                                           : plain_root(std::move(level), shape.degree);
}

Digest image_name(const Digest& root, const TreeShape& shape, std::uint64_t leaves) {
  if (shape.tree == TreeKind::fs_verity) return verity_name(root, shape);
  FieldWriter b;
  b.put_text("missive-sim/image/2");
  b.put<std::uint64_t>(shape.length).put<std::uint64_t>(shape.block_size);
  b.put<std::uint64_t>(shape.degree).put<std::uint64_t>(leaves);
  b.put<std::uint8_t>(shape.hash).put<std::uint8_t>(static_cast<std::uint8_t>(shape.units));
  b.put<std::uint8_t>(static_cast<std::uint8_t>(shape.tree)).put_bytes(root.bytes);
  return sha256(b.bytes());
}

Digest image_name(const Digest& root, const TreeShape& shape) {
  return image_name(root, shape, shape.blocks());
}

std::uint64_t inner_nodes(std::uint64_t leaves, std::uint32_t degree) {
  std::uint64_t total = 0;
  for (std::uint64_t nodes = leaves; nodes > 1;) {
    nodes = parents(nodes, degree);
    total += nodes;
  }
  return total;
}

std::uint64_t inner_nodes(const TreeShape& shape) {
  check(shape, "tree shape");
  return inner_nodes(shape.blocks(), shape.degree);
}

std::uint64_t proof_digests(std::uint64_t leaves, std::uint32_t degree) {
  std::uint64_t total = 0;  // of the first leaf; one in a last, shorter node needs fewer
  for (std::uint64_t nodes = leaves; nodes > 1; nodes = parents(nodes, degree))
    total += std::min<std::uint64_t>(nodes, degree) - 1;
  return total;
}

const char* to_string(UnitKind kind) {
  switch (kind) {
    case UnitKind::blocks:
      return "blocks";
    case UnitKind::cdc:
      return "cdc";
    case UnitKind::strings:
      return "strings";
  }
  return "unknown";
}

const char* to_string(TreeKind kind) { return kind == TreeKind::plain ? "plain" : "fs-verity"; }

}  // namespace missive::zar
