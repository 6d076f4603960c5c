#pragma once
// SHA-256 digests: the names of blocks and images.

#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace missive::zar {

struct Digest {
  std::array<std::byte, 32> bytes{};
  auto operator<=>(const Digest&) const = default;
};

// SHA-256 (FIPS 180-4) through OpenSSL.
Digest sha256(std::span<const std::byte> data);

// The same over data that comes in pieces, and for many messages in a row: one context is kept,
// because allocating one per 64 KiB block costs more than hashing the block's last kilobyte.
// Not for two threads at once. Throws RunError when OpenSSL has no SHA-256 or no memory.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept = default;
  Hasher& operator=(Hasher&&) noexcept = default;

  Hasher& update(std::span<const std::byte> data);
  Digest finish();  // and starts the next message
  Digest hash(std::span<const std::byte> data) { return update(data).finish(); }

 private:
  struct Free {
    void operator()(void* context) const noexcept;
  };
  std::unique_ptr<void, Free> context_;  // EVP_MD_CTX
};

// Whether all bytes are zero; true of none.
bool all_zero(std::span<const std::byte> data);

std::string to_hex(const Digest& digest);
// 64 hexadecimal digits; throws InputError otherwise.
Digest digest_from_hex(const std::string& hex);

}  // namespace missive::zar

template <>
struct std::hash<missive::zar::Digest> {
  std::size_t operator()(const missive::zar::Digest& d) const noexcept;
};
