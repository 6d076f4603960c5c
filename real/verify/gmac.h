#pragma once
// AES-128-GMAC (NIST SP 800-38D) through OpenSSL: GCM that authenticates and encrypts nothing. By
// EVP_MAC: the GCM cipher with authenticated data only takes the same time, in one call or in many
// (real/zar/zar_bench.cpp, within 1 %).
//
// One (key, nonce) pair must never cover two different messages: a single repeat gives away the
// hash key and with it every later forgery (SP 800-38D, appendix A). verifier.h says why it cannot
// happen here.

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace missive::verify {

using GmacTag = std::array<std::byte, 16>;
using GmacNonce = std::array<std::byte, 12>;

class Gmac {
 public:
  // Throws RunError when OpenSSL cannot.
  Gmac(std::span<const std::byte, 16> key, const GmacNonce& nonce);
  Gmac& update(std::span<const std::byte> data);
  GmacTag finish();  // once

 private:
  struct Free {
    void operator()(void* context) const noexcept;
  };
  std::unique_ptr<void, Free> context_;  // EVP_MAC_CTX
};

}  // namespace missive::verify
