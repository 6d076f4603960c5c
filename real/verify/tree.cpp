// The verifier "sha256": the whole Merkle tree, straight from the mapping, on one thread.

#include "models/error.h"
#include "real/verify/verifier.h"

namespace missive::verify {

Work verify_tree(std::span<const std::byte> image, const Expected& expected) {
  const zar::TreeShape& shape = expected.shape;
  zar::check(shape, "expected image of " + expected.application);
  if (image.size() != shape.length)
    throw RunError("image of " + expected.application + ": " + std::to_string(image.size()) +
                   " bytes where the vendor signed " + std::to_string(shape.length) +
                   "; drop it from the cache and fetch it again");
  const auto leaves = zar::leaf_hashes(image, shape);
  const zar::Digest name = zar::image_name(zar::tree_root(leaves, shape), shape);
  if (name != expected.name)
    throw RunError("image of " + expected.application + " version " +
                   std::to_string(expected.version) + " is not the one its vendor signed (" +
                   zar::to_hex(expected.name) + "); drop it from the cache and fetch it again");
  Work work;
  work.bytes_hashed = image.size();
  work.blocks_hashed = leaves.size();
  return work;
}

}  // namespace missive::verify
