#include <array>
#include <bit>

#include <cryptopp/blake2.h>

#include "real/commonality/block_list.h"

namespace missive::commonality {

std::uint64_t hash64(std::span<const std::byte> data) {
  static thread_local CryptoPP::BLAKE2b hasher(false, 8);
  std::array<CryptoPP::byte, 8> digest;
  hasher.Update(reinterpret_cast<const CryptoPP::byte*>(data.data()), data.size());
  hasher.TruncatedFinal(digest.data(), digest.size());
  std::uint64_t value = 0;  // as the hexadecimal digits are read: first byte first
  for (const CryptoPP::byte b : digest) value = value << 8 | b;
  return value;
}

double collision_probability(double units) { return units * (units - 1) / 2 / 0x1p64; }

}  // namespace missive::commonality
