// Poly1305 under one-time keys that ChaCha20 derives from key and nonce (RFC 8439, sections 2.5 and
// 2.6), through OpenSSL. No AES instructions needed: the MAC of hosts that have none.

#include "real/verify/algorithms/poly1305.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "models/error.h"

namespace missive::verify {

namespace {

struct Free {
  void operator()(EVP_MAC* m) const noexcept { EVP_MAC_free(m); }
  void operator()(EVP_MAC_CTX* c) const noexcept { EVP_MAC_CTX_free(c); }
  void operator()(EVP_CIPHER* c) const noexcept { EVP_CIPHER_free(c); }
  void operator()(EVP_CIPHER_CTX* c) const noexcept { EVP_CIPHER_CTX_free(c); }
};

const unsigned char* octets(const std::byte* p) {
  return reinterpret_cast<const unsigned char*>(p);
}

class OneTimeKeys {
 public:
  explicit OneTimeKeys(const EngineKey& key)
      : cipher_(EVP_CIPHER_fetch(nullptr, "ChaCha20", nullptr)), context_(EVP_CIPHER_CTX_new()) {
    if (!cipher_ || !context_ ||
        EVP_EncryptInit_ex2(context_.get(), cipher_.get(), octets(key.data()), nullptr, nullptr) !=
            1)
      throw RunError("OpenSSL cannot start ChaCha20; check its configuration");
  }
  void derive(const Nonce& nonce, EngineKey& out) {
    // OpenSSL's form of the nonce: 32-bit block counter, zero here, then the 96 bits.
    std::array<std::byte, 16> iv{};
    std::copy(nonce.begin(), nonce.end(), iv.begin() + 4);
    const EngineKey zeros{};
    int length = 0;
    if (EVP_EncryptInit_ex2(context_.get(), nullptr, nullptr, octets(iv.data()), nullptr) != 1 ||
        EVP_EncryptUpdate(context_.get(), reinterpret_cast<unsigned char*>(out.data()), &length,
                          octets(zeros.data()), static_cast<int>(zeros.size())) != 1 ||
        length != static_cast<int>(out.size()))
      throw RunError("OpenSSL failed to derive a one-time key");
  }

 private:
  std::unique_ptr<EVP_CIPHER, Free> cipher_;
  std::unique_ptr<EVP_CIPHER_CTX, Free> context_;
};

class Authenticator {
 public:
  Authenticator()
      : mac_(EVP_MAC_fetch(nullptr, "POLY1305", nullptr)),
        context_(mac_ ? EVP_MAC_CTX_new(mac_.get()) : nullptr) {
    if (!context_) throw RunError("OpenSSL offers no Poly1305; check its configuration");
  }
  void tag(const EngineKey& once, std::span<const std::byte> message, std::byte* out) {
    std::size_t length = 0;
    if (EVP_MAC_init(context_.get(), octets(once.data()), once.size(), nullptr) != 1 ||
        EVP_MAC_update(context_.get(), octets(message.data()), message.size()) != 1 ||
        EVP_MAC_final(context_.get(), reinterpret_cast<unsigned char*>(out), &length, 16) != 1 ||
        length != 16)
      throw RunError("OpenSSL failed to compute a MAC");
  }

 private:
  std::unique_ptr<EVP_MAC, Free> mac_;
  std::unique_ptr<EVP_MAC_CTX, Free> context_;
};

class Poly1305 : public Engine {
 public:
  explicit Poly1305(const EngineKey& key) : Engine(16), keys_(key) {}
  ~Poly1305() override { ::OPENSSL_cleanse(once_.data(), once_.size()); }
  void digest(std::span<const std::byte> message, const Nonce& nonce, std::byte* out) override {
    keys_.derive(nonce, once_);
    authenticator_.tag(once_, message, out);
  }

 private:
  OneTimeKeys keys_;
  Authenticator authenticator_;
  EngineKey once_{};
};

}  // namespace

std::array<std::byte, 16> poly1305_once(const EngineKey& one_time_key,
                                        std::span<const std::byte> message) {
  std::array<std::byte, 16> tag{};
  Authenticator().tag(one_time_key, message, tag.data());
  return tag;
}

EngineKey poly1305_one_time_key(const EngineKey& key, const Nonce& nonce) {
  EngineKey once{};
  OneTimeKeys(key).derive(nonce, once);
  return once;
}

Algorithm poly1305_algorithm() {
  Algorithm a;
  a.name = "poly1305";
  a.library = "OpenSSL";
  a.family = Family::mac;
  a.nonce = NonceRule::key_per_message;
  a.digest_bytes = 16;
  a.guarantee =
      "forgery chance about 8 (length / 16) / 2^106 a try, as long as no one-time key meets two "
      "messages";
  a.vectors = "RFC 8439, sections 2.5.2 and 2.6.2";
  a.make = [](const EngineKey& key) -> std::unique_ptr<Engine> {
    return std::make_unique<Poly1305>(key);
  };
  return a;
}

}  // namespace missive::verify
