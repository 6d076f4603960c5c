// BLAKE3, plain and keyed, by its authors' C and assembly code (Debian ships it inside
// librust-blake3-dev). A tree hash inside: one long message fills the vector lanes with its own
// chunks of 1 KiB, sixteen with AVX-512, so it wants messages of 16 KiB or more. The code picks the
// instruction set at run time.

#include <blake3.h>
#include <openssl/crypto.h>

#include "real/verify/algorithm.h"

namespace missive::verify {

namespace {

class Blake3 : public Engine {
 public:
  Blake3() : Engine(BLAKE3_OUT_LEN) { blake3_hasher_init(&start_); }
  explicit Blake3(const EngineKey& key) : Engine(BLAKE3_OUT_LEN) {
    blake3_hasher_init_keyed(&start_, reinterpret_cast<const std::uint8_t*>(key.data()));
  }
  ~Blake3() override { ::OPENSSL_cleanse(&start_, sizeof start_); }

  void digest(std::span<const std::byte> message, const Nonce&, std::byte* out) override {
    blake3_hasher_reset(&start_);
    blake3_hasher_update(&start_, message.data(), message.size());
    blake3_hasher_finalize(&start_, reinterpret_cast<std::uint8_t*>(out), digest_bytes());
  }

 private:
  blake3_hasher start_;
};

}  // namespace

Algorithm blake3_algorithm() {
  Algorithm a;
  a.name = "blake3";
  a.library = "BLAKE3 C";
  a.family = Family::hash;
  a.digest_bytes = BLAKE3_OUT_LEN;
  a.guarantee = "collision resistant, 128 bits";
  a.vectors = "BLAKE3 test_vectors.json";
  a.make = [](const EngineKey&) -> std::unique_ptr<Engine> { return std::make_unique<Blake3>(); };
  return a;
}

Algorithm blake3_keyed_algorithm() {
  Algorithm a = blake3_algorithm();
  a.name = "blake3-keyed";
  a.family = Family::mac;
  a.guarantee = "pseudo-random function, 128 bits; no nonce";
  a.make = [](const EngineKey& key) -> std::unique_ptr<Engine> {
    return std::make_unique<Blake3>(key);
  };
  return a;
}

}  // namespace missive::verify
