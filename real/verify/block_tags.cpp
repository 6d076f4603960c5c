#include "real/verify/block_tags.h"

#include <algorithm>
#include <cstring>

#include <openssl/crypto.h>

#include "models/error.h"
#include "real/verify/algorithm.h"
#include "real/verify/bound_context.h"
#include "real/verify/multi_buffer.h"
#include "real/zar/wire.h"

namespace missive::verify {

namespace {

constexpr std::uint32_t kGmacAes128 = 1;  // MAC id in the record
constexpr std::size_t kHead = 64;
constexpr const char* kRemedy = "; verify the image by its tree and store new tags";

std::string subject(const Expected& e) {
  return "block tags of " + e.application + " version " + std::to_string(e.version);
}

// All of the record but its own tag, which covers it.
GmacTag cover(std::span<const std::byte> record, const Expected& expected,
              const ApplicationSecret& secret) {
  const MacKey key = tag_list_key(secret, bound_context(expected));
  return Gmac(std::span(key.bytes).first<16>(), GmacNonce{}).update(record).finish();
}

std::vector<std::byte> head_of(const Expected& expected) {
  zar::FieldWriter b;
  b.put_text(zar::kBlockTagMagic).put<std::uint32_t>(zar::kFormVersion);
  b.put<std::uint32_t>(kGmacAes128).put_bytes(expected.name.bytes);
  b.put<std::uint64_t>(expected.version).put<std::uint64_t>(expected.shape.blocks());
  return b.take();
}

}  // namespace

std::uint64_t block_tags_bytes(std::uint64_t blocks) {
  return kHead + (blocks + 1) * sizeof(GmacTag);
}

TagRecord make_block_tags(std::span<const std::byte> image, const Expected& expected,
                          const ApplicationSecret& secret, Work* work) {
  if (image.size() != expected.shape.length)
    throw RunError(subject(expected) + ": the image has " + std::to_string(image.size()) +
                   " bytes where the vendor signed " + std::to_string(expected.shape.length));
  TagRecord record{head_of(expected)};
  const std::size_t tags = expected.shape.blocks() * sizeof(GmacTag);
  record.bytes.resize(kHead + tags);
  const MacKey key = block_mac_key(secret, bound_context(expected));
  algorithm(preferred_gmac(cpu_features()))
      .make(key.bytes)
      ->digest_blocks(image, expected.shape.block_size, 0,
                      std::span(record.bytes).subspan(kHead, tags));
  const GmacTag own = cover(record.bytes, expected, secret);
  record.bytes.insert(record.bytes.end(), own.begin(), own.end());
  if (work != nullptr) work->bytes_authenticated += image.size();
  return record;
}

std::vector<GmacTag> open_block_tags(const TagRecord& record, const Expected& expected,
                                     const ApplicationSecret& secret) {
  const std::uint64_t blocks = expected.shape.blocks();
  if (record.bytes.size() != block_tags_bytes(blocks))
    throw RunError(subject(expected) + ": " + std::to_string(record.bytes.size()) +
                   " bytes instead of " + std::to_string(block_tags_bytes(blocks)) + kRemedy);
  const auto covered = std::span(record.bytes).first(record.bytes.size() - sizeof(GmacTag));
  const std::vector<std::byte> head = head_of(expected);
  // The head's claims are a quick way to a better message: it is the MAC that proves them.
  if (!std::ranges::equal(head, covered.first(kHead)))
    throw RunError(subject(expected) + ": is for another image, version or MAC" + kRemedy);
  const GmacTag own = cover(covered, expected, secret);
  if (CRYPTO_memcmp(own.data(), record.bytes.data() + covered.size(), own.size()) != 0)
    throw RunError(subject(expected) + " were not made by this host, or were changed since" +
                   kRemedy);
  std::vector<GmacTag> tags(blocks);
  std::memcpy(tags.data(), record.bytes.data() + kHead, blocks * sizeof(GmacTag));
  return tags;
}

}  // namespace missive::verify
