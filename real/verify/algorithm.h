#pragma once
// The algorithms that verifiers are made of: collision-resistant hashes and message authentication
// codes, each from a well-kept library, none written here. What a launch may select is in
// verifier.h; this registry is wider, because an experiment also wants the seed's SHA-1 and a
// hash without any security to hold the others against.
//
// Adding one: its own file in algorithms/, its declaration below, one line in algorithms.cpp. Its
// name is the JSON value.
//
// One engine for each thread. A message is a run of bytes with a digest or tag of its own;
// digest_blocks() takes many at once, which is where algorithms that fill the vector lanes with
// several messages ("multi-buffer") have their speed.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace missive::verify {

inline constexpr std::size_t kKeyBytes = 32, kNonceBytes = 12, kMaxDigestBytes = 64;

// 32 bytes; an algorithm with a shorter key takes the front.
using EngineKey = std::array<std::byte, kKeyBytes>;
using Nonce = std::array<std::byte, kNonceBytes>;

// Of the message number `index`: the index, little-endian, then zeros. Different indices never
// give the same nonce, so under a key that covers one content only no pair of key and nonce
// repeats.
Nonce nonce_of(std::uint64_t index);

class Engine {
 public:
  virtual ~Engine() = default;
  // Digest or tag of one message into the front of `out`. `nonce`: see NonceRule; ignored by
  // algorithms without one. Throws RunError when the library fails.
  virtual void digest(std::span<const std::byte> message, const Nonce& nonce, std::byte* out) = 0;
  // Of the messages [i * block, (i + 1) * block) of `data` (the last may be shorter), with
  // nonce_of(first + i), one after the other into `out`.
  virtual void digest_blocks(std::span<const std::byte> data, std::size_t block,
                             std::uint64_t first, std::span<std::byte> out);
  std::size_t digest_bytes() const { return digest_bytes_; }

 protected:
  explicit Engine(std::size_t digest_bytes) : digest_bytes_(digest_bytes) {}

 private:
  std::size_t digest_bytes_;
};

enum class Family {
  hash,       // collision resistant: a tree over it needs no secret
  mac,        // sound under a secret key
  reference,  // no security: how fast it would be without. Never for a verifier
};
enum class Standing { sound, broken, none };
enum class NonceRule {
  none,             // key reuse is free
  unique,           // no (key, nonce) pair may ever cover two messages
  key_per_message,  // the nonce derives a one-time key; as `unique`
};
std::string to_string(Family family);      // "hash", "mac", "reference"
std::string to_string(Standing standing);  // "sound", "broken", "none"
std::string to_string(NonceRule rule);     // "none", "unique nonce", "one-time key"

struct Algorithm {
  std::string name;     // "sha256-mb"
  std::string library;  // "libipsec-mb"
  Family family = Family::hash;
  Standing standing = Standing::sound;
  NonceRule nonce = NonceRule::none;
  std::size_t digest_bytes = 32;
  std::string guarantee;  // what it promises, and under which rule
  std::string vectors;    // published test vectors that the tests run
  // Messages beyond `longest` bytes are done as the algorithm `beyond` does them; 0: all are its
  // own.
  std::size_t longest = 0;
  std::string beyond;
  std::string (*unavailable)() = nullptr;  // empty when this host can; nullptr: everywhere
  // `key` is used by keyed algorithms only.
  std::unique_ptr<Engine> (*make)(const EngineKey& key) = nullptr;

  bool keyed() const { return family == Family::mac; }
};

const std::vector<Algorithm>& algorithms();
// Throws InputError with the nearest known name.
const Algorithm& algorithm(const std::string& name);
// Why this host cannot run it; empty when it can.
std::string unavailable(const Algorithm& algorithm);

// The algorithms, one file each in algorithms/.
Algorithm sha1_algorithm();
Algorithm sha256_algorithm();
Algorithm sha256_mb_algorithm();
Algorithm sha512_256_algorithm();
Algorithm blake2b_algorithm();
Algorithm blake3_algorithm();
Algorithm blake3_keyed_algorithm();
Algorithm vmac_64_algorithm();
Algorithm vmac_128_algorithm();
Algorithm gmac_algorithm();
Algorithm gmac_mb_algorithm();
Algorithm cmac_algorithm();
Algorithm cmac_mb_algorithm();
Algorithm poly1305_algorithm();
Algorithm xxh3_algorithm();

}  // namespace missive::verify
