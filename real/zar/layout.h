#pragma once
// The zarfile's layout as numbers: what builder and reader must agree on (docs/zarfile-format.md).

#include <array>
#include <cstdint>

namespace missive::zar {

inline constexpr std::uint32_t kImageVersion = 2;

inline constexpr std::uint32_t kPage = 4096;  // alignment a reader may rely on when it maps content
inline constexpr std::uint32_t kPacked = 8;   // alignment of a file that shares its page

// Feature bits. A reader refuses an image with a bit it does not know.
inline constexpr std::uint64_t kFeatureSharedPages = 1;  // content below a page may share pages
inline constexpr std::uint64_t kKnownFeatures = kFeatureSharedPages;

enum class Section : std::uint32_t {
  index = 1,
  strings = 2,
  extras = 3,
  extents = 4,
  absent = 5,
  launch_runs = 6,
  pieces = 7,
  content = 8
};
inline constexpr std::uint32_t kSections = 8;  // present in every image, in this order

inline constexpr std::uint32_t kFixedHeader = 64;
inline constexpr std::uint32_t kSectionRecord = 24;
inline constexpr std::uint32_t kHeader = kFixedHeader + kSections * kSectionRecord;
inline constexpr std::uint32_t kIndexRecord = 40;
inline constexpr std::uint32_t kExtraRecord = 24;
inline constexpr std::uint32_t kExtentRecord = 24;
inline constexpr std::uint32_t kAbsentRecord = 8;
inline constexpr std::uint32_t kRunRecord = 12;
inline constexpr std::uint32_t kPieceRecord = 16;
inline constexpr std::array<std::uint32_t, kSections> kRecords = {
    kIndexRecord, 1, kExtraRecord, kExtentRecord, kAbsentRecord, kRunRecord, kPieceRecord, 1};

inline constexpr std::uint8_t kFlagExtents = 1;  // content lies in extents, not in one piece
inline constexpr std::uint8_t kFlagPartial = 2;  // what no extent covers is not zero but not here

inline constexpr std::uint32_t kMaxPath = 4095, kMaxName = 255;  // Linux PATH_MAX - 1, NAME_MAX
inline constexpr std::uint32_t kMaxAttributes = 65536;           // bytes of one entry's, encoded
// Set-user-ID and set-group-ID do not exist in an image: all belongs to root, and nothing in a
// picoprocess may gain privileges.
inline constexpr std::uint32_t kModeBits = 01777;

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

}  // namespace missive::zar
