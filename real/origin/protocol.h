#pragma once
// Limits both ends of the origin protocol agree on (docs/origin-protocol.md).

#include <cstddef>

namespace missive::origin {

inline constexpr std::size_t kMaxBlocksPerRequest = 4096;
inline constexpr std::size_t kMaxBootBlockBytes = 64 * 1024;
// One million blocks of 32 bytes each, and the head.
inline constexpr std::size_t kMaxRecipeBytes = 32 * 1024 * 1024 + 4096;
// Status line or request line and header fields of one message.
inline constexpr std::size_t kMaxHeadBytes = 16 * 1024;
inline constexpr std::size_t kMaxApplicationName = 128;

}  // namespace missive::origin
