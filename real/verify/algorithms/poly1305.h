#pragma once
// The two halves of the verifier "poly1305", for its test vectors.

#include "real/verify/algorithm.h"

namespace missive::verify {

// Poly1305 (RFC 8439, section 2.5). The key must never authenticate a second message.
std::array<std::byte, 16> poly1305_once(const EngineKey& one_time_key,
                                        std::span<const std::byte> message);
// The one-time key of a nonce (RFC 8439, section 2.6): the front of ChaCha20's block 0.
EngineKey poly1305_one_time_key(const EngineKey& key, const Nonce& nonce);

}  // namespace missive::verify
