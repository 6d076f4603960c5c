// AES-128-CMAC (RFC 4493) through OpenSSL, one message at a time.

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

class CmacOpenssl : public Engine {
 public:
  explicit CmacOpenssl(const EngineKey& key)
      : Engine(16),
        mac_(EVP_MAC_fetch(nullptr, "CMAC", nullptr)),
        context_(mac_ ? EVP_MAC_CTX_new(mac_.get()) : nullptr) {
    char cipher[] = "AES-128-CBC";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
        OSSL_PARAM_construct_end()};
    if (!context_ ||
        EVP_MAC_init(context_.get(), reinterpret_cast<const unsigned char*>(key.data()), 16,
                     parameters) != 1)
      throw RunError("OpenSSL cannot start AES-128-CMAC; check its configuration");
  }

  // The expanded key stays in the context.
  void digest(std::span<const std::byte> message, const Nonce&, std::byte* out) override {
    std::size_t length = 0;
    if (EVP_MAC_init(context_.get(), nullptr, 0, nullptr) != 1 ||
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

Algorithm cmac_algorithm() {
  Algorithm a;
  a.name = "cmac";
  a.library = "OpenSSL";
  a.family = Family::mac;
  a.digest_bytes = 16;
  a.guarantee = "pseudo-random function up to about 2^48 messages a key; no nonce";
  a.vectors = "RFC 4493, section 4";
  a.make = [](const EngineKey& key) -> std::unique_ptr<Engine> {
    return std::make_unique<CmacOpenssl>(key);
  };
  return a;
}

}  // namespace missive::verify
