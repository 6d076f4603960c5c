#include "real/verify/gmac.h"

#include <intel-ipsec-mb.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include "models/error.h"
#include "real/verify/multi_buffer.h"

namespace missive::verify {

class Gmac::State {
 public:
  virtual ~State() = default;
  virtual void update(std::span<const std::byte> data) = 0;
  virtual void finish(GmacTag& tag) = 0;
};

namespace {

const unsigned char* octets(const std::byte* p) {
  return reinterpret_cast<const unsigned char*>(p);
}

// Fetched once: the look-up through the providers costs as much as a small message.
EVP_MAC* method() {
  static EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "GMAC", nullptr);
  if (mac == nullptr) throw RunError("OpenSSL offers no GMAC; check its configuration");
  return mac;
}

// By EVP_MAC: the GCM cipher with authenticated data only takes the same time, in one call or in
// many (real/zar/zar_bench.cpp, within 1 %).
class OpensslState : public Gmac::State {
 public:
  OpensslState(std::span<const std::byte, 16> key, const GmacNonce& nonce)
      : context_(EVP_MAC_CTX_new(method())) {
    char cipher[] = "AES-128-GCM";
    // OSSL_PARAM has no const form; EVP_MAC_init only reads the nonce (EVP_MAC-GMAC(7)).
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_IV, const_cast<std::byte*>(nonce.data()),
                                          nonce.size()),
        OSSL_PARAM_construct_end()};
    if (!context_ || EVP_MAC_init(context_.get(), octets(key.data()), key.size(), parameters) != 1)
      throw RunError("OpenSSL cannot start AES-128-GMAC");
  }
  void update(std::span<const std::byte> data) override {
    if (EVP_MAC_update(context_.get(), octets(data.data()), data.size()) != 1)
      throw RunError("OpenSSL failed to compute a MAC");
  }
  void finish(GmacTag& tag) override {
    std::size_t length = 0;
    if (EVP_MAC_final(context_.get(), reinterpret_cast<unsigned char*>(tag.data()), &length,
                      tag.size()) != 1 ||
        length != tag.size())
      throw RunError("OpenSSL failed to compute a MAC");
  }

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* c) const noexcept { EVP_MAC_CTX_free(c); }
  };
  std::unique_ptr<EVP_MAC_CTX, Free> context_;
};

IMB_MGR* manager() {
  thread_local const MultiBuffer own;
  return own.get();
}

class MultiBufferState : public Gmac::State {
 public:
  MultiBufferState(std::span<const std::byte, 16> key, const GmacNonce& nonce) {
    IMB_AES128_GCM_PRE(manager(), key.data(), &key_);
    IMB_AES128_GMAC_INIT(manager(), &key_, &context_, octets(nonce.data()), nonce.size());
  }
  ~MultiBufferState() override { ::OPENSSL_cleanse(&key_, sizeof key_); }
  void update(std::span<const std::byte> data) override {
    if (!data.empty())
      IMB_AES128_GMAC_UPDATE(manager(), &key_, &context_, octets(data.data()), data.size());
  }
  void finish(GmacTag& tag) override {
    IMB_AES128_GMAC_FINALIZE(manager(), &key_, &context_,
                             reinterpret_cast<unsigned char*>(tag.data()), tag.size());
  }

 private:
  alignas(64) gcm_key_data key_{};  // the library stores whole aligned vectors
  alignas(64) gcm_context_data context_{};
};

}  // namespace

GmacBackend fastest_gmac() {
  static const GmacBackend backend = preferred_gmac(cpu_features()) == "gmac-mb"
                                         ? GmacBackend::multi_buffer
                                         : GmacBackend::openssl;
  return backend;
}

void Gmac::prepare() {
  if (fastest_gmac() == GmacBackend::multi_buffer)
    manager();
  else
    method();
}

Gmac::Gmac(std::span<const std::byte, 16> key, const GmacNonce& nonce, GmacBackend backend) {
  if (backend == GmacBackend::multi_buffer)
    state_ = std::make_unique<MultiBufferState>(key, nonce);
  else
    state_ = std::make_unique<OpensslState>(key, nonce);
}
Gmac::Gmac(Gmac&&) noexcept = default;
Gmac::~Gmac() = default;

Gmac& Gmac::update(std::span<const std::byte> data) {
  state_->update(data);
  return *this;
}

GmacTag Gmac::finish() {
  GmacTag tag;
  state_->finish(tag);
  return tag;
}

}  // namespace missive::verify
