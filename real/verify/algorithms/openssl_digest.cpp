#include "real/verify/algorithms/openssl_digest.h"

#include <openssl/evp.h>

#include "models/error.h"

namespace missive::verify {

namespace {

struct FreeMethod {
  void operator()(EVP_MD* m) const noexcept { EVP_MD_free(m); }
};
struct FreeContext {
  void operator()(EVP_MD_CTX* c) const noexcept { EVP_MD_CTX_free(c); }
};

// Method and context are kept: fetching one takes a look-up through the providers, more than a
// short message (OpenSSL crypto(7), "Performance").
class OpensslDigest : public Engine {
 public:
  OpensslDigest(const char* name, std::size_t bytes)
      : Engine(bytes), method_(EVP_MD_fetch(nullptr, name, nullptr)), context_(EVP_MD_CTX_new()) {
    if (!method_ || !context_ ||
        static_cast<std::size_t>(EVP_MD_get_size(method_.get())) != bytes ||
        EVP_DigestInit_ex2(context_.get(), method_.get(), nullptr) != 1)
      throw RunError(std::string("OpenSSL cannot start ") + name + "; check its configuration");
  }

  void digest(std::span<const std::byte> message, const Nonce&, std::byte* out) override {
    if (EVP_DigestInit_ex2(context_.get(), nullptr, nullptr) != 1 ||
        EVP_DigestUpdate(context_.get(), message.data(), message.size()) != 1 ||
        EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(out), nullptr) != 1)
      throw RunError("OpenSSL failed to hash");
  }

 private:
  std::unique_ptr<EVP_MD, FreeMethod> method_;
  std::unique_ptr<EVP_MD_CTX, FreeContext> context_;
};

}  // namespace

std::unique_ptr<Engine> openssl_digest(const char* name, std::size_t digest_bytes) {
  return std::make_unique<OpensslDigest>(name, digest_bytes);
}

std::string openssl_digest_unavailable(const char* name) {
  const std::unique_ptr<EVP_MD, FreeMethod> method(EVP_MD_fetch(nullptr, name, nullptr));
  return method ? "" : std::string("this OpenSSL offers no ") + name;
}

}  // namespace missive::verify
