#pragma once
// Verifiers: how a launcher convinces itself that the bytes an untrusted cache handed over are the
// image that the vendor signed. Two families behind one registry:
//
//   tree      collision-resistant Merkle tree, needs no secret, works on first sight     (sha256)
//   mac       keyed MAC whose tag was made right after a successful tree verification    (mac)
//
// Adding one: its own file (tree.cpp, mac.cpp) and one line in registry.cpp. The name is the JSON
// value and the --help text.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "real/verify/keychain.h"
#include "real/zar/merkle.h"

namespace missive::verify {

// What was actually run over the bytes: compared with the plan, exactly.
struct Work {
  std::uint64_t bytes_hashed = 0;   // of the image; the tree's inner nodes follow from its shape
  std::uint64_t blocks_hashed = 0;  // leaves
  std::uint64_t bytes_authenticated = 0;  // of the image, without the bound context
};

// The trusted description an image is held against, out of a boot block whose signature was
// checked.
struct Expected {
  zar::Digest name;
  zar::TreeShape shape;
  std::string application;
  std::uint64_t version = 0;
};

// The leaves of the image's tree (real/zar/merkle.h), by the quickest SHA-256 this processor has
// (multi_buffer.h); the same digests whichever it is. `image.size()` must be shape.length.
std::vector<zar::Digest> leaf_digests(std::span<const std::byte> image,
                                      const zar::TreeShape& shape);

// Hashes every block and compares the image's name. Throws RunError naming application and image
// when it differs.
Work verify_tree(std::span<const std::byte> image, const Expected& expected);

// A tag record as kept in the untrusted store: says which image and version it is for; worth
// nothing without the key.
struct TagRecord {
  std::vector<std::byte> bytes;
};

// Only after verify_tree succeeded on the same bytes: a tag says "this host has seen these bytes
// pass". AES-128-GMAC under the first 16 bytes of `key`, bound to name, shape, application and
// version; record form in docs/zarfile-format.md, "Tag record".
//
// GMAC must never use one (key, nonce) pair for two messages. The key is already specific to one
// image name and version, so the image cannot differ; but a vendor could publish the same image
// under two application names, and the application's name is part of the message. Therefore each
// tag has a fresh random 96-bit nonce, kept in the record (SP 800-38D section 8.2.2 allows 2^32 a
// key). Throws RunError: wrong length, no random bytes. Adds to `work` when given.
TagRecord make_tag(std::span<const std::byte> image, const Expected& expected, const MacKey& key,
                   Work* work = nullptr);
// Throws RunError when the record is malformed, for another image or version, or does not match;
// constant-time compare.
// The bytes must not change during and after the call: sealed or private memory, never a file or
// segment that somebody else can still write.
Work verify_tag(std::span<const std::byte> image, const Expected& expected, const MacKey& key,
                const TagRecord& record);

// Does what the first verification in a thread would do once: a launcher that is resident has done
// it before. Throws RunError.
void prepare_verifiers();

struct VerifierInfo {
  std::string name;  // JSON value: "sha256", "mac"
  std::string what;
  bool keyed = false;
};
const std::vector<VerifierInfo>& verifiers();
// Throws InputError, with the names there are.
const VerifierInfo& verifier(const std::string& name);

}  // namespace missive::verify
