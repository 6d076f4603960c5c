#pragma once
// Missive's key chain (research prototype, section "fast verification"): a boot block is public and
// can hold no secret, so the monitor derives one for it.
//
//   master key          32 random bytes, one per host, in a file only the monitor can read
//   application secret   KDF(master key, "application", vendor's Ed25519 public key)
//   MAC key              KDF(application secret, "image-mac", image name || version)
//   block MAC key        KDF(application secret, "block-mac", bound context)
//   tag list key         KDF(application secret, "tag-list", bound context)
//
// KDF is HKDF-SHA256 (RFC 5869). Binding the MAC key to name and version means that a (key, nonce)
// pair can only ever cover one content, which is what GMAC needs.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "real/zar/digest.h"

namespace missive::verify {

using PublicKey = std::array<std::byte, 32>;  // Ed25519

struct MasterKey {
  std::array<std::byte, 32> bytes{};
};
struct ApplicationSecret {
  std::array<std::byte, 32> bytes{};
};
struct MacKey {
  std::array<std::byte, 32> bytes{};
};

// Reads the host's master key, or makes one (mode 0600, atomically). Throws InputError when the
// file is not 32 bytes or readable by others.
MasterKey load_or_create_master_key(const std::filesystem::path& file);
ApplicationSecret application_secret(const MasterKey& master, const PublicKey& vendor);
MacKey mac_key(const ApplicationSecret& secret, const zar::Digest& image, std::uint64_t version);
// Of a record of block tags (block_tags.h): one key for the blocks, one for the list of their tags,
// each specific to `context`.
MacKey block_mac_key(const ApplicationSecret& secret, std::span<const std::byte> context);
MacKey tag_list_key(const ApplicationSecret& secret, std::span<const std::byte> context);

}  // namespace missive::verify
