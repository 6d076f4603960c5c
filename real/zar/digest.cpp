#include "real/zar/digest.h"

#include <cstring>

#include <openssl/evp.h>

#include "models/error.h"

namespace missive::zar {

namespace {

// Fetched once: an implicit fetch per message (EVP_sha256()) takes a lock and a provider look-up
// (OpenSSL crypto(7), "Performance").
const EVP_MD* sha256_method() {
  static const EVP_MD* method = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (method == nullptr) throw RunError("OpenSSL offers no SHA-256; check its configuration");
  return method;
}

EVP_MD_CTX* context(void* p) { return static_cast<EVP_MD_CTX*>(p); }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

void Hasher::Free::operator()(void* p) const noexcept { EVP_MD_CTX_free(context(p)); }

Hasher::Hasher() : context_(EVP_MD_CTX_new()) {
  if (!context_ || EVP_DigestInit_ex2(context(context_.get()), sha256_method(), nullptr) != 1)
    throw RunError("OpenSSL cannot start SHA-256: out of memory");
}

Hasher::~Hasher() = default;

Hasher& Hasher::update(std::span<const std::byte> data) {
  if (EVP_DigestUpdate(context(context_.get()), data.data(), data.size()) != 1)
    throw RunError("OpenSSL failed to hash");
  return *this;
}

Digest Hasher::finish() {
  Digest digest;
  auto* out = reinterpret_cast<unsigned char*>(digest.bytes.data());
  if (EVP_DigestFinal_ex(context(context_.get()), out, nullptr) != 1 ||
      EVP_DigestInit_ex2(context(context_.get()), nullptr, nullptr) != 1)
    throw RunError("OpenSSL failed to hash");
  return digest;
}

Digest sha256(std::span<const std::byte> data) {
  thread_local Hasher hasher;
  return hasher.hash(data);
}

bool all_zero(std::span<const std::byte> data) {
  // The first byte is zero, and all are equal to the one before.
  return data.empty() || (data[0] == std::byte{0} &&
                          std::memcmp(data.data(), data.data() + 1, data.size() - 1) == 0);
}

std::string to_hex(const Digest& digest) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(64);
  for (const std::byte b : digest.bytes) {
    hex += kDigits[std::to_integer<unsigned>(b) >> 4];
    hex += kDigits[std::to_integer<unsigned>(b) & 15];
  }
  return hex;
}

Digest digest_from_hex(const std::string& hex) {
  Digest digest;
  if (hex.size() != 64)
    throw InputError("a digest has 64 hexadecimal digits, this one has " +
                     std::to_string(hex.size()));
  for (std::size_t i = 0; i < 32; ++i) {
    const int high = hex_value(hex[2 * i]), low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0)
      throw InputError("a digest has hexadecimal digits only; see character " +
                       std::to_string(high < 0 ? 2 * i : 2 * i + 1));
    digest.bytes[i] = static_cast<std::byte>(high * 16 + low);
  }
  return digest;
}

}  // namespace missive::zar

// A digest is already uniform: any eight bytes of it will do.
std::size_t std::hash<missive::zar::Digest>::operator()(
    const missive::zar::Digest& d) const noexcept {
  std::size_t value;
  static_assert(sizeof value <= 32);
  std::memcpy(&value, d.bytes.data(), sizeof value);
  return value;
}
