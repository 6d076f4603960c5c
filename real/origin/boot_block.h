#pragma once
// The boot block: what a vendor says of an application, signed with Ed25519 (RFC 8032) through
// OpenSSL. Wire form: docs/zarfile-format.md, "Boot block". The vendor's public key is the
// application's identity.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "real/verify/keychain.h"
#include "real/zar/merkle.h"

namespace missive::origin {

struct BootBlock {
  std::string application;    // 1..128 printable ASCII characters
  std::uint64_t version = 0;  // grows with every release
  zar::Digest image;          // zar::image_name
  zar::TreeShape shape;
};

struct SigningKey {
  std::array<std::byte, 32> seed{};
};
SigningKey make_signing_key();
verify::PublicKey public_key(const SigningKey& key);

// Throws InputError when a field is out of range.
std::vector<std::byte> sign(const BootBlock& block, const SigningKey& key);
// Checks the signature first and parses only then. Throws InputError: truncated, wrong signature,
// bad field.
BootBlock open_boot_block(std::span<const std::byte> wire, const verify::PublicKey& vendor,
                          const std::string& where);

// Ed25519 itself, over any message.
std::array<std::byte, 64> sign_bytes(std::span<const std::byte> message, const SigningKey& key);
bool signature_holds(std::span<const std::byte> message, std::span<const std::byte, 64> signature,
                     const verify::PublicKey& vendor);

}  // namespace missive::origin
