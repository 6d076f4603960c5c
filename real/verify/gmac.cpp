#include "real/verify/gmac.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "models/error.h"

namespace missive::verify {

namespace {

EVP_MAC_CTX* context(void* p) { return static_cast<EVP_MAC_CTX*>(p); }

// Fetched once: the look-up through the providers costs as much as a small message.
EVP_MAC* method() {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "GMAC", nullptr);
  if (mac == nullptr) throw RunError("OpenSSL offers no GMAC; check its configuration");
  return mac;
}

}  // namespace

void Gmac::Free::operator()(void* p) const noexcept { EVP_MAC_CTX_free(context(p)); }

Gmac::Gmac(std::span<const std::byte, 16> key, const GmacNonce& nonce)
    : context_(EVP_MAC_CTX_new(method())) {
  char cipher[] = "AES-128-GCM";
  // OSSL_PARAM has no const form; EVP_MAC_init only reads the nonce (EVP_MAC-GMAC(7)).
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, const_cast<std::byte*>(nonce.data()),
                                        nonce.size()),
      OSSL_PARAM_construct_end()};
  if (!context_ ||
      EVP_MAC_init(context(context_.get()), reinterpret_cast<const unsigned char*>(key.data()),
                   key.size(), parameters) != 1)
    throw RunError("OpenSSL cannot start AES-128-GMAC");
}

Gmac& Gmac::update(std::span<const std::byte> data) {
  if (EVP_MAC_update(context(context_.get()), reinterpret_cast<const unsigned char*>(data.data()),
                     data.size()) != 1)
    throw RunError("OpenSSL failed to compute a MAC");
  return *this;
}

GmacTag Gmac::finish() {
  GmacTag tag;
  std::size_t length = 0;
  if (EVP_MAC_final(context(context_.get()), reinterpret_cast<unsigned char*>(tag.data()), &length,
                    tag.size()) != 1 ||
      length != tag.size())
    throw RunError("OpenSSL failed to compute a MAC");
  return tag;
}

}  // namespace missive::verify
