#pragma once
// One VMAC tag with a nonce of any length: its published test vectors have nonces of 8 bytes.

#include "real/verify/algorithm.h"

namespace missive::verify {

std::vector<std::byte> vmac_once(std::size_t bits, std::span<const std::byte, 16> key,
                                 std::span<const std::byte> nonce,
                                 std::span<const std::byte> message);  // bits: 64 or 128

}  // namespace missive::verify
