#pragma once
// AES-128-GMAC (NIST SP 800-38D) over a message that comes in pieces: the MAC of tag records. By
// libipsec-mb where the processor has VAES and VPCLMULQDQ (some 6 ms for 100 MiB on a Zen 4
// core, 1.4 times as long as reading them), by OpenSSL everywhere else: the same tags.
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

enum class GmacBackend { openssl, multi_buffer };
// The quicker one on this processor (multi_buffer.h, preferred_gmac()).
GmacBackend fastest_gmac();

class Gmac {
 public:
  // Throws RunError when the library cannot.
  Gmac(std::span<const std::byte, 16> key, const GmacNonce& nonce,
       GmacBackend backend = fastest_gmac());
  Gmac(Gmac&&) noexcept;
  ~Gmac();
  Gmac& update(std::span<const std::byte> data);
  GmacTag finish();  // once

  // Does what the first use in a thread would do: a launcher that is resident has done it before.
  static void prepare();

  class State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace missive::verify
