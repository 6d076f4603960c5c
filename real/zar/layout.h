#pragma once
// The zarfile's layout as numbers: what builder and reader must agree on (docs/zarfile-format.md).

#include <cstdint>

namespace missive::zar {

inline constexpr std::uint32_t kPage = 4096;  // alignment a reader may rely on when it maps content
inline constexpr std::uint32_t kPacked = 8;   // alignment of a file that shares its page

// Feature bits. A reader refuses an image with a bit it does not know.
inline constexpr std::uint64_t kFeatureSharedPages = 1;  // files below a page may share pages
inline constexpr std::uint64_t kKnownFeatures = kFeatureSharedPages;

enum class Section : std::uint32_t { index = 1, strings = 2, launch_runs = 3, content = 4 };
inline constexpr std::uint32_t kSections = 4;  // present in every image, in this order

inline constexpr std::uint32_t kFixedHeader = 64;
inline constexpr std::uint32_t kSectionRecord = 24;
inline constexpr std::uint32_t kHeader = kFixedHeader + kSections * kSectionRecord;
inline constexpr std::uint32_t kIndexRecord = 40;
inline constexpr std::uint32_t kRunRecord = 12;

inline constexpr std::uint32_t kMaxPath = 4095, kMaxName = 255;  // Linux PATH_MAX - 1, NAME_MAX
// Set-user-ID and set-group-ID do not exist in an image: all belongs to root, and nothing in a
// picoprocess may gain privileges.
inline constexpr std::uint32_t kModeBits = 01777;

constexpr std::uint64_t align_up(std::uint64_t value, std::uint64_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

}  // namespace missive::zar
