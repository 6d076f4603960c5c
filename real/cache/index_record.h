#pragma once
// Records of the store's index: a log of what was put and what was dropped. 56 bytes each,
// little-endian:
//
//   0   digest   32 offset (u64)   40 length (u32)   44 kind (u32)   48 zero (u32)
//   52  CRC-32 of bytes 0..51
//
// Before them stands a head of 64 bytes: 0 magic and version (16 bytes), 16 the kernel's boot id as
// text (36), 52 zero (u32), 56 how often the log was rewritten (u64).

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "real/zar/digest.h"

namespace missive::cache {

enum class ContentKind : std::uint32_t { block = 1, recipe = 2 };

// A content of the store, by name.
struct Content {
  ContentKind kind = ContentKind::block;
  zar::Digest name;
  bool operator==(const Content&) const = default;
};

struct IndexRecord {
  static constexpr std::size_t kBytes = 56;
  static constexpr std::uint32_t kMaxLength = 64U * 1024 * 1024;

  Content content;
  bool dropped = false;  // what was put under this name before is no longer there
  std::uint64_t offset = 0;
  std::uint32_t length = 0;

  std::array<std::byte, kBytes> encode() const;
  // `in` has kBytes. Nothing when it is not a record.
  static std::optional<IndexRecord> decode(std::span<const std::byte> in);
};

struct IndexHead {
  static constexpr std::size_t kBytes = 64;

  std::array<char, 36> boot_id{};  // zeros: not known
  std::uint64_t rewrites = 0;

  // Of the running system (random(4)).
  static IndexHead of_this_boot(std::uint64_t rewrites);
  bool same_boot(const IndexHead& other) const {
    return boot_id[0] != 0 && boot_id == other.boot_id;
  }
  std::array<std::byte, kBytes> encode() const;
  static std::optional<IndexHead> decode(std::span<const std::byte> in);
};

}  // namespace missive::cache
