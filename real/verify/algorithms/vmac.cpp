// VMAC with AES-128 (Krovetz and Dai, draft-krovetz-vmac-01, 2007), through Crypto++: what Missive
// authenticated with in 2014, with 64 bits of tag. Never became a standard.

#include <crypto++/aes.h>
#include <crypto++/vmac.h>

#include "real/verify/algorithms/vmac.h"

namespace missive::verify {

namespace {

template <int kBits>
class Vmac : public Engine {
 public:
  explicit Vmac(const EngineKey& key) : Engine(kBits / 8) {
    const Nonce none{};  // a nonce comes with each message
    set_key(key, none);
  }

  void digest(std::span<const std::byte> message, const Nonce& nonce, std::byte* out) override {
    mac_.Resynchronize(reinterpret_cast<const CryptoPP::byte*>(nonce.data()),
                       static_cast<int>(nonce.size()));
    mac_.Update(reinterpret_cast<const CryptoPP::byte*>(message.data()), message.size());
    mac_.TruncatedFinal(reinterpret_cast<CryptoPP::byte*>(out), digest_bytes());
  }

 private:
  void set_key(const EngineKey& key, const Nonce& nonce) {
    mac_.SetKeyWithIV(reinterpret_cast<const CryptoPP::byte*>(key.data()), 16,
                      reinterpret_cast<const CryptoPP::byte*>(nonce.data()), nonce.size());
  }
  CryptoPP::VMAC<CryptoPP::AES, kBits> mac_;
};

template <int kBits>
Algorithm vmac(const char* name, const char* guarantee) {
  Algorithm a;
  a.name = name;
  a.library = "Crypto++";
  a.family = Family::mac;
  a.nonce = NonceRule::unique;
  a.digest_bytes = kBits / 8;
  a.guarantee = guarantee;
  a.vectors = "draft-krovetz-vmac-01, appendix A";
  a.make = [](const EngineKey& key) -> std::unique_ptr<Engine> {
    return std::make_unique<Vmac<kBits>>(key);
  };
  return a;
}

}  // namespace

std::vector<std::byte> vmac_once(std::size_t bits, std::span<const std::byte, 16> key,
                                 std::span<const std::byte> nonce,
                                 std::span<const std::byte> message) {
  std::vector<std::byte> tag(bits / 8);
  const auto compute = [&](auto mac) {
    mac.SetKeyWithIV(reinterpret_cast<const CryptoPP::byte*>(key.data()), key.size(),
                     reinterpret_cast<const CryptoPP::byte*>(nonce.data()), nonce.size());
    mac.Update(reinterpret_cast<const CryptoPP::byte*>(message.data()), message.size());
    mac.TruncatedFinal(reinterpret_cast<CryptoPP::byte*>(tag.data()), tag.size());
  };
  if (bits == 64)
    compute(CryptoPP::VMAC<CryptoPP::AES, 64>());
  else
    compute(CryptoPP::VMAC<CryptoPP::AES, 128>());
  return tag;
}

Algorithm vmac_64_algorithm() {
  return vmac<64>("vmac-64", "forgery chance about 2^-60 a try; a nonce must never come twice");
}
Algorithm vmac_128_algorithm() {
  return vmac<128>("vmac-128", "forgery chance about 2^-120 a try; a nonce must never come twice");
}

}  // namespace missive::verify
