// AES-128-CMAC (RFC 4493, NIST SP 800-38B) of many messages at once. A pseudo-random function: it
// needs no nonce, so nothing can go wrong with one. Messages of 64 KiB and more go through OpenSSL,
// one after the other (multi_buffer_jobs.h, kLongestJob).

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include "real/verify/algorithms/multi_buffer_jobs.h"

namespace missive::verify {

namespace {

class CmacMb : public Engine {
 public:
  CmacMb(const EngineKey& key, const MultiBuffer::Options& options)
      : Engine(16), manager_(options), alone_(algorithm("cmac").make(key)) {
    alignas(64) std::uint8_t unused[sizeof keys_.expanded];  // keys of decryption
    IMB_AES_KEYEXP_128(manager_.get(), key.data(), keys_.expanded, unused);
    IMB_AES_CMAC_SUBKEY_GEN_128(manager_.get(), keys_.expanded, keys_.first, keys_.second);
    ::OPENSSL_cleanse(unused, sizeof unused);
  }
  ~CmacMb() override { ::OPENSSL_cleanse(&keys_, sizeof keys_); }

  void digest(std::span<const std::byte> message, const Nonce& nonce, std::byte* out) override {
    if (message.size() > kLongestJob)
      alone_->digest(message, nonce, out);
    else
      run(message, std::max<std::size_t>(message.size(), 1), {out, digest_bytes()});
  }
  void digest_blocks(std::span<const std::byte> data, std::size_t block, std::uint64_t first,
                     std::span<std::byte> out) override {
    if (block > kLongestJob)
      Engine::digest_blocks(data, block, first, out);
    else if (!data.empty())
      run(data, block, out);
  }

 private:
  struct Keys {
    alignas(64) std::uint8_t expanded[16 * 11];
    alignas(16) std::uint8_t first[16], second[16];
  };
  void run(std::span<const std::byte> data, std::size_t block, std::span<std::byte> out) {
    run_hash_jobs(manager_, data, block, out, digest_bytes(), [this](IMB_JOB& job) {
      job.hash_alg = IMB_AUTH_AES_CMAC;
      job.u.CMAC._key_expanded = keys_.expanded;
      job.u.CMAC._skey1 = keys_.first;
      job.u.CMAC._skey2 = keys_.second;
    });
  }
  MultiBuffer manager_;
  std::unique_ptr<Engine> alone_;  // for messages beyond kLongestJob
  Keys keys_{};
};

}  // namespace

std::unique_ptr<Engine> cmac_mb_engine(const EngineKey& key, const MultiBuffer::Options& options) {
  return std::make_unique<CmacMb>(key, options);
}

Algorithm cmac_mb_algorithm() {
  Algorithm a;
  a.name = "cmac-mb";
  a.library = "libipsec-mb";
  a.family = Family::mac;
  a.digest_bytes = 16;
  a.guarantee = "pseudo-random function up to about 2^48 messages a key; no nonce";
  a.vectors = "RFC 4493, section 4";
  a.longest = kLongestJob;
  a.beyond = "cmac";
  a.make = [](const EngineKey& key) {
    return cmac_mb_engine(key, {best_level(cpu_features()), false});
  };
  return a;
}

}  // namespace missive::verify
