// The verifier "mac": AES-128-GMAC over a header that binds the context, then the image.

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "models/error.h"
#include "real/verify/bound_context.h"
#include "real/verify/gmac.h"
#include "real/verify/verifier.h"
#include "real/zar/wire.h"

namespace missive::verify {

// Padded to whole AES blocks so that the image behind it goes through OpenSSL's fast path.
std::vector<std::byte> bound_context(const Expected& e) {
  zar::FieldWriter b;
  b.put_text("missive-sim/mac/1").align(32).put_bytes(e.name.bytes);
  b.put<std::uint64_t>(e.shape.length).put<std::uint32_t>(e.shape.block_size);
  b.put<std::uint32_t>(e.shape.degree).put<std::uint64_t>(e.version);
  b.put<std::uint64_t>(e.application.size()).put_text(e.application).align(16);
  return b.take();
}

namespace {

constexpr std::uint32_t kGmacAes128 = 1;  // MAC id in the record

GmacTag compute(std::span<const std::byte> image, const Expected& expected, const MacKey& key,
                const GmacNonce& nonce) {
  Gmac gmac(std::span(key.bytes).first<16>(), nonce);
  return gmac.update(bound_context(expected)).update(image).finish();
}

std::string subject(const Expected& e) {
  return "tag of " + e.application + " version " + std::to_string(e.version);
}

constexpr const char* kRemedy = "; verify the image by its tree and store a new tag";

struct Parsed {
  GmacNonce nonce;
  GmacTag tag;
};

// Checks the record's form and what it claims to be for. The claim is only a quick way to a better
// message: it is the MAC that proves it.
Parsed parse(const TagRecord& record, const Expected& expected) {
  const std::string where = subject(expected);
  try {
    zar::FieldReader p(record.bytes, where);
    if (!zar::equal_text(p.take(zar::kTagMagic.size()), zar::kTagMagic))
      throw RunError(where + ": wrong magic number" + kRemedy);
    if (p.get<std::uint32_t>() != zar::kFormVersion || p.get<std::uint32_t>() != kGmacAes128)
      throw RunError(where + ": unknown version or MAC" + kRemedy);
    const auto name = p.take(expected.name.bytes.size());
    if (!std::equal(name.begin(), name.end(), expected.name.bytes.begin()))
      throw RunError(where + ": is for another image" + kRemedy);
    if (const auto v = p.get<std::uint64_t>(); v != expected.version)
      throw RunError(where + ": is for version " + std::to_string(v) + kRemedy);
    Parsed parsed;
    const auto nonce = p.take(parsed.nonce.size());
    std::copy(nonce.begin(), nonce.end(), parsed.nonce.begin());
    if (p.get<std::uint32_t>() != 0)
      throw RunError(where + ": reserved field is not zero" + kRemedy);
    const auto tag = p.take(parsed.tag.size());
    std::copy(tag.begin(), tag.end(), parsed.tag.begin());
    if (p.left() != 0) throw RunError(where + ": too long" + kRemedy);
    return parsed;
  } catch (const InputError& e) {  // truncated: from the store, so a failed launch, not a bad flag
    throw RunError(e.what() + std::string(kRemedy));
  }
}

void check_length(std::span<const std::byte> image, const Expected& e) {
  if (image.size() != e.shape.length)
    throw RunError("image of " + e.application + ": " + std::to_string(image.size()) +
                   " bytes where the vendor signed " + std::to_string(e.shape.length) +
                   "; drop it from the cache and fetch it again");
}

}  // namespace

TagRecord make_tag(std::span<const std::byte> image, const Expected& expected, const MacKey& key,
                   Work* work) {
  check_length(image, expected);
  GmacNonce nonce;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(nonce.data()), static_cast<int>(nonce.size())) !=
      1)
    throw RunError("OpenSSL has no random bytes for a nonce");
  zar::FieldWriter b;
  b.put_text(zar::kTagMagic).put<std::uint32_t>(zar::kFormVersion).put<std::uint32_t>(kGmacAes128);
  b.put_bytes(expected.name.bytes).put<std::uint64_t>(expected.version).put_bytes(nonce);
  b.put<std::uint32_t>(0).put_bytes(compute(image, expected, key, nonce));
  if (work != nullptr) work->bytes_authenticated += image.size();
  return {b.take()};
}

Work verify_tag(std::span<const std::byte> image, const Expected& expected, const MacKey& key,
                const TagRecord& record) {
  const Parsed parsed = parse(record, expected);
  check_length(image, expected);
  const GmacTag tag = compute(image, expected, key, parsed.nonce);
  if (CRYPTO_memcmp(tag.data(), parsed.tag.data(), tag.size()) != 0)
    throw RunError(subject(expected) +
                   " does not match the image: one of them was changed since the first launch" +
                   kRemedy);
  Work work;
  work.bytes_authenticated = image.size();
  return work;
}

}  // namespace missive::verify
