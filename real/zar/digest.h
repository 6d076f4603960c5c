#pragma once
// SHA-256 digests: the names of blocks and images.

#include <array>
#include <compare>
#include <cstddef>
#include <functional>
#include <span>
#include <string>

namespace missive::zar {

struct Digest {
  std::array<std::byte, 32> bytes{};
  auto operator<=>(const Digest&) const = default;
};

// SHA-256 (FIPS 180-4) through OpenSSL.
Digest sha256(std::span<const std::byte> data);

std::string to_hex(const Digest& digest);
// 64 hexadecimal digits; throws InputError otherwise.
Digest digest_from_hex(const std::string& hex);

}  // namespace missive::zar

template <>
struct std::hash<missive::zar::Digest> {
  std::size_t operator()(const missive::zar::Digest& d) const noexcept;
};
