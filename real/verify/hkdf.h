#pragma once
// HKDF with SHA-256 (RFC 5869), extract and expand, through OpenSSL: the only key derivation here.

#include <cstddef>
#include <span>

namespace missive::verify {

// Fills `out` (at most 255 * 32 bytes). `key` must not be empty. Throws RunError.
void hkdf_sha256(std::span<const std::byte> key, std::span<const std::byte> salt,
                 std::span<const std::byte> info, std::span<std::byte> out);

}  // namespace missive::verify
