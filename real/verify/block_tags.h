#pragma once
// A tag for each block of an image, so that a launcher can accept one block without looking at the
// others. The record lies in the untrusted store and comes with the image; it is itself
// authenticated, so that a list which was cut, swapped or repeated is refused before its first tag
// is used (docs/zarfile-format.md, "Block tag record").
//
// Block i is covered by AES-128-GMAC under a key derived from the application's secret and the
// bound context: image name (and with it the Merkle root), length, block size, degree, version,
// application. The nonce is the block's index. One pair of key and nonce can therefore cover one
// content only, as GMAC needs: the name fixes each block. The list of tags is covered under a key
// of its own with the nonce zero; the list follows from key and content, so that pair covers one
// message, too.

#include <cstdint>
#include <span>
#include <vector>

#include "real/verify/gmac.h"
#include "real/verify/keychain.h"
#include "real/verify/verifier.h"

namespace missive::verify {

// Bytes of the record of an image of so many blocks: 80 and 16 a block.
std::uint64_t block_tags_bytes(std::uint64_t blocks);

// Only after the whole image has passed the tree, all its blocks in the same unchangeable memory.
// Adds to `work` when given. Throws RunError: wrong length.
TagRecord make_block_tags(std::span<const std::byte> image, const Expected& expected,
                          const ApplicationSecret& secret, Work* work = nullptr);

// The tags, one a block. Throws RunError when the record is malformed, for another image or
// version, or was not made by this host; constant-time compare.
std::vector<GmacTag> open_block_tags(const TagRecord& record, const Expected& expected,
                                     const ApplicationSecret& secret);

}  // namespace missive::verify
