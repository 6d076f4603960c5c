#include "real/origin/boot_block.h"

#include <algorithm>
#include <memory>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "models/error.h"
#include "real/zar/wire.h"

namespace missive::origin {

namespace {

constexpr std::size_t kSignature = 64;
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kFixedPayload = 76;  // all fields but the application's name

struct FreeKey {
  void operator()(EVP_PKEY* k) const noexcept { EVP_PKEY_free(k); }
  void operator()(EVP_MD_CTX* c) const noexcept { EVP_MD_CTX_free(c); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Context = std::unique_ptr<EVP_MD_CTX, FreeKey>;

const unsigned char* raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

Key private_key(const SigningKey& key) {
  Key result(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw(key.seed), 32));
  if (!result) throw RunError("OpenSSL offers no Ed25519; check its configuration");
  return result;
}

// Throws InputError: what is wrong with the block as a statement, whoever signed it.
void check(const BootBlock& block, const std::string& where) {
  const auto printable = [](char c) { return c >= 0x20 && c <= 0x7e; };
  if (block.application.empty() || block.application.size() > kMaxName ||
      !std::all_of(block.application.begin(), block.application.end(), printable))
    throw InputError(where +
                     ": the application's name must be 1 to 128 printable ASCII characters");
  zar::check(block.shape, where);
}

BootBlock parse(std::span<const std::byte> payload, const std::string& where) {
  zar::FieldReader p(payload, where);
  if (!zar::equal_text(p.take(zar::kBootMagic.size()), zar::kBootMagic))
    throw InputError(where + ": not a boot block (wrong magic number)");
  if (const auto v = p.get<std::uint32_t>(); v != zar::kFormVersion)
    throw InputError(where + ": boot block version " + std::to_string(v) +
                     "; this program reads version 1");
  if (const auto h = p.get<std::uint32_t>(); h != zar::kHashSha256)
    throw InputError(where + ": unknown hash id " + std::to_string(h));
  BootBlock block;
  block.version = p.get<std::uint64_t>();
  const auto name = p.take(block.image.bytes.size());
  std::copy(name.begin(), name.end(), block.image.bytes.begin());
  block.shape.length = p.get<std::uint64_t>();
  block.shape.block_size = p.get<std::uint32_t>();
  block.shape.degree = p.get<std::uint32_t>();
  const auto length = p.get<std::uint32_t>();
  const auto application = p.take(length);
  if (p.left() != 0) throw InputError(where + ": boot block with bytes behind its end");
  block.application.assign(reinterpret_cast<const char*>(application.data()), application.size());
  check(block, where);
  return block;
}

}  // namespace

SigningKey make_signing_key() {
  SigningKey key;
  if (RAND_priv_bytes(reinterpret_cast<unsigned char*>(key.seed.data()), 32) != 1)
    throw RunError("OpenSSL has no random bytes for a signing key");
  return key;
}

verify::PublicKey public_key(const SigningKey& key) {
  const Key pair = private_key(key);
  verify::PublicKey result;
  std::size_t length = result.size();
  if (EVP_PKEY_get_raw_public_key(pair.get(), reinterpret_cast<unsigned char*>(result.data()),
                                  &length) != 1)
    throw RunError("OpenSSL failed to derive a public key");
  return result;
}

std::array<std::byte, 64> sign_bytes(std::span<const std::byte> message, const SigningKey& key) {
  const Key pair = private_key(key);
  const Context context(EVP_MD_CTX_new());
  std::array<std::byte, kSignature> signature;
  std::size_t length = signature.size();
  // Ed25519 hashes by itself: no digest, one call (EVP_PKEY-ED25519 and Ed25519(7)).
  if (!context || EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, pair.get()) != 1 ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &length,
                     raw(message), message.size()) != 1)
    throw RunError("OpenSSL failed to sign");
  return signature;
}

bool signature_holds(std::span<const std::byte> message, std::span<const std::byte, 64> signature,
                     const verify::PublicKey& vendor) {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(vendor), vendor.size()));
  const Context context(EVP_MD_CTX_new());
  return key && context &&
         EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(context.get(), raw(signature), signature.size(), raw(message),
                          message.size()) == 1;
}

std::vector<std::byte> sign(const BootBlock& block, const SigningKey& key) {
  check(block, "boot block of " + block.application);
  zar::FieldWriter b;
  b.put_text(zar::kBootMagic);
  b.put<std::uint32_t>(zar::kFormVersion).put<std::uint32_t>(zar::kHashSha256);
  b.put<std::uint64_t>(block.version).put_bytes(block.image.bytes);
  b.put<std::uint64_t>(block.shape.length);
  b.put<std::uint32_t>(block.shape.block_size).put<std::uint32_t>(block.shape.degree);
  b.put<std::uint32_t>(static_cast<std::uint32_t>(block.application.size()));
  b.put_text(block.application);
  zar::FieldWriter wire;
  wire.put_bytes(sign_bytes(b.bytes(), key)).put_bytes(b.bytes());
  return wire.take();
}

BootBlock open_boot_block(std::span<const std::byte> wire, const verify::PublicKey& vendor,
                          const std::string& where) {
  // Lengths first: nobody gets a megabyte hashed by sending it.
  if (wire.size() < kSignature + kFixedPayload + 1 ||
      wire.size() > kSignature + kFixedPayload + kMaxName)
    throw InputError(where + ": boot block of " + std::to_string(wire.size()) +
                     " bytes; truncated, or not a boot block");
  const auto payload = wire.subspan(kSignature);
  if (!signature_holds(payload, wire.first<kSignature>(), vendor))
    throw InputError(where +
                     ": the boot block's signature is not this vendor's; get the boot block " +
                     "again, or check the vendor's public key");
  return parse(payload, where);
}

}  // namespace missive::origin
