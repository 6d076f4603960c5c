// XXH3 with 64 bits: how fast a checksum is that anybody can forge. A speed reference, never a
// verifier. As libxxhash is built for every x86-64: with SSE2.

#include <xxhash.h>

#include "real/verify/algorithm.h"

namespace missive::verify {

namespace {

class Xxh3 : public Engine {
 public:
  Xxh3() : Engine(8) {}
  void digest(std::span<const std::byte> message, const Nonce&, std::byte* out) override {
    XXH64_canonical_t form;
    XXH64_canonicalFromHash(&form, XXH3_64bits(message.data(), message.size()));
    for (std::size_t i = 0; i < digest_bytes(); ++i)
      out[i] = static_cast<std::byte>(form.digest[i]);
  }
};

}  // namespace

Algorithm xxh3_algorithm() {
  Algorithm a;
  a.name = "xxh3";
  a.library = "libxxhash";
  a.family = Family::reference;
  a.standing = Standing::none;
  a.digest_bytes = 8;
  a.guarantee = "none: a checksum against accidents; anybody can make two messages meet";
  a.vectors = "xxhash's sanity test, length 0";
  a.make = [](const EngineKey&) -> std::unique_ptr<Engine> { return std::make_unique<Xxh3>(); };
  return a;
}

}  // namespace missive::verify
