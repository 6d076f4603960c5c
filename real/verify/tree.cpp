// The verifier "sha256": the whole Merkle tree, straight from the mapping, on one thread.

#include <algorithm>
#include <stdexcept>
#include <thread>

#include "models/error.h"
#include "real/verify/algorithm.h"
#include "real/verify/gmac.h"
#include "real/verify/multi_buffer.h"
#include "real/verify/verifier.h"

namespace missive::verify {

namespace {

Engine& sha256_engine() {
  thread_local const std::unique_ptr<Engine> engine =
      algorithm(preferred_sha256(cpu_features())).make({});
  return *engine;
}

}  // namespace

void prepare_verifiers() {
  sha256_engine();
  Gmac::prepare();
  // A lazy launch verifies on the threads of its file server, one for each CPU, and on its own two.
  MultiBuffer::prepare(std::min(std::thread::hardware_concurrency(), 8U) + 2);
}

std::vector<zar::Digest> leaf_digests(std::span<const std::byte> image,
                                      const zar::TreeShape& shape) {
  if (image.size() != shape.length) throw std::invalid_argument("leaf_digests: length");
  std::vector<zar::Digest> leaves(shape.blocks());
  static_assert(sizeof(zar::Digest) == 32);
  sha256_engine().digest_blocks(image, shape.block_size, 0,
                                std::as_writable_bytes(std::span(leaves)));
  return leaves;
}

Work verify_tree(std::span<const std::byte> image, const Expected& expected) {
  const zar::TreeShape& shape = expected.shape;
  zar::check(shape, "expected image of " + expected.application);
  if (image.size() != shape.length)
    throw RunError("image of " + expected.application + ": " + std::to_string(image.size()) +
                   " bytes where the vendor signed " + std::to_string(shape.length) +
                   "; drop it from the cache and fetch it again");
  const auto leaves = leaf_digests(image, shape);
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
