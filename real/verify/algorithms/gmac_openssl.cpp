// AES-128-GMAC through OpenSSL: what is left where the processor has no VAES.

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "models/error.h"
#include "real/verify/algorithm.h"

namespace missive::verify {

namespace {

struct FreeMac {
  void operator()(EVP_MAC* m) const noexcept { EVP_MAC_free(m); }
};
struct FreeContext {
  void operator()(EVP_MAC_CTX* c) const noexcept { EVP_MAC_CTX_free(c); }
};

class GmacOpenssl : public Engine {
 public:
  explicit GmacOpenssl(const EngineKey& key)
      : Engine(16),
        mac_(EVP_MAC_fetch(nullptr, "GMAC", nullptr)),
        context_(mac_ ? EVP_MAC_CTX_new(mac_.get()) : nullptr) {
    char cipher[] = "AES-128-GCM";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
        OSSL_PARAM_construct_end()};
    if (!context_ ||
        EVP_MAC_init(context_.get(), reinterpret_cast<const unsigned char*>(key.data()), 16,
                     parameters) != 1)
      throw RunError("OpenSSL cannot start AES-128-GMAC; check its configuration");
  }

  // Only the nonce is set anew; the expanded key stays in the context.
  void digest(std::span<const std::byte> message, const Nonce& nonce, std::byte* out) override {
    // OSSL_PARAM has no const form; EVP_MAC_init only reads the nonce (EVP_MAC-GMAC(7)).
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, const_cast<std::byte*>(nonce.data()),
                                          nonce.size()),
        OSSL_PARAM_construct_end()};
    std::size_t length = 0;
    if (EVP_MAC_init(context_.get(), nullptr, 0, parameters) != 1 ||
        EVP_MAC_update(context_.get(), reinterpret_cast<const unsigned char*>(message.data()),
                       message.size()) != 1 ||
        EVP_MAC_final(context_.get(), reinterpret_cast<unsigned char*>(out), &length,
                      digest_bytes()) != 1 ||
        length != digest_bytes())
      throw RunError("OpenSSL failed to compute a MAC");
  }

 private:
  std::unique_ptr<EVP_MAC, FreeMac> mac_;
  std::unique_ptr<EVP_MAC_CTX, FreeContext> context_;
};

}  // namespace

Algorithm gmac_algorithm() {
  Algorithm a;
  a.name = "gmac";
  a.library = "OpenSSL";
  a.family = Family::mac;
  a.nonce = NonceRule::unique;
  a.digest_bytes = 16;
  a.guarantee =
      "forgery chance about (blocks + 1) / 2^128 a try; one repeated (key, nonce) gives the hash "
      "key away";
  a.vectors = "NIST CAVP gcmEncryptExtIV128, McGrew and Viega test case 1";
  a.make = [](const EngineKey& key) -> std::unique_ptr<Engine> {
    return std::make_unique<GmacOpenssl>(key);
  };
  return a;
}

}  // namespace missive::verify
