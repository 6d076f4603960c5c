// AES-128-GMAC (NIST SP 800-38D) through libipsec-mb: with VAES and VPCLMULQDQ near the speed of
// memory.

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include "real/verify/algorithms/multi_buffer_jobs.h"

namespace missive::verify {

namespace {

class GmacMb : public Engine {
 public:
  GmacMb(const EngineKey& key, const MultiBuffer::Options& options)
      : Engine(16), manager_(options) {
    IMB_AES128_GCM_PRE(manager_.get(), key.data(), &key_);
  }
  ~GmacMb() override { ::OPENSSL_cleanse(&key_, sizeof key_); }

  // The direct interface: one message at a time fills the processor, and a job has more to set up.
  void digest(std::span<const std::byte> message, const Nonce& nonce, std::byte* out) override {
    alignas(64) gcm_context_data context;
    IMB_AES128_GMAC_INIT(manager_.get(), &key_, &context,
                         reinterpret_cast<const std::uint8_t*>(nonce.data()), nonce.size());
    if (!message.empty())
      IMB_AES128_GMAC_UPDATE(manager_.get(), &key_, &context,
                             reinterpret_cast<const std::uint8_t*>(message.data()), message.size());
    IMB_AES128_GMAC_FINALIZE(manager_.get(), &key_, &context, reinterpret_cast<std::uint8_t*>(out),
                             digest_bytes());
  }

 private:
  MultiBuffer manager_;
  alignas(64) gcm_key_data key_{};  // the library stores whole aligned vectors
};

}  // namespace

std::unique_ptr<Engine> gmac_mb_engine(const EngineKey& key, const MultiBuffer::Options& options) {
  return std::make_unique<GmacMb>(key, options);
}

Algorithm gmac_mb_algorithm() {
  Algorithm a;
  a.name = "gmac-mb";
  a.library = "libipsec-mb";
  a.family = Family::mac;
  a.nonce = NonceRule::unique;
  a.digest_bytes = 16;
  a.guarantee =
      "forgery chance about (blocks + 1) / 2^128 a try; one repeated (key, nonce) gives the hash "
      "key away";
  a.vectors = "NIST CAVP gcmEncryptExtIV128, McGrew and Viega test case 1";
  a.make = [](const EngineKey& key) {
    return gmac_mb_engine(key, {best_level(cpu_features()), false});
  };
  return a;
}

}  // namespace missive::verify
