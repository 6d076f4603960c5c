#include <algorithm>

#include "models/nearest.h"
#include "real/verify/algorithm.h"

namespace missive::verify {

const std::vector<Algorithm>& algorithms() {
  static const std::vector<Algorithm> all{
      sha1_algorithm(),     sha256_algorithm(),       sha256_mb_algorithm(), sha512_256_algorithm(),
      blake2b_algorithm(),  blake3_algorithm(),       vmac_64_algorithm(),   vmac_128_algorithm(),
      gmac_algorithm(),     gmac_mb_algorithm(),      cmac_algorithm(),      cmac_mb_algorithm(),
      poly1305_algorithm(), blake3_keyed_algorithm(), xxh3_algorithm(),
  };
  return all;
}

const Algorithm& algorithm(const std::string& name) {
  return named(algorithms(), name, "verification algorithm");
}

std::string unavailable(const Algorithm& algorithm) {
  return algorithm.unavailable == nullptr ? std::string() : algorithm.unavailable();
}

Nonce nonce_of(std::uint64_t index) {
  Nonce nonce{};
  for (std::size_t i = 0; i < 8; ++i) nonce[i] = static_cast<std::byte>(index >> (8 * i));
  return nonce;
}

void Engine::digest_blocks(std::span<const std::byte> data, std::size_t block, std::uint64_t first,
                           std::span<std::byte> out) {
  std::byte* to = out.data();
  for (std::size_t at = 0; at < data.size(); at += block, to += digest_bytes_)
    digest(data.subspan(at, std::min(block, data.size() - at)), nonce_of(first++), to);
}

std::string to_string(Family family) {
  switch (family) {
    case Family::hash:
      return "hash";
    case Family::mac:
      return "mac";
    case Family::reference:
      return "reference";
  }
  return "?";
}

std::string to_string(Standing standing) {
  switch (standing) {
    case Standing::sound:
      return "sound";
    case Standing::broken:
      return "broken";
    case Standing::none:
      return "none";
  }
  return "?";
}

std::string to_string(NonceRule rule) {
  switch (rule) {
    case NonceRule::none:
      return "none";
    case NonceRule::unique:
      return "unique nonce";
    case NonceRule::key_per_message:
      return "one-time key";
  }
  return "?";
}

}  // namespace missive::verify
