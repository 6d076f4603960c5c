// Codec "lz4": one block (lz4_Block_format.md) for each unit. Levels above 1 use the slower match
// finder; the decompressor is the same.

#include <lz4.h>
#include <lz4hc.h>

#include "real/zar/transport.h"

namespace missive::zar {

namespace {

std::vector<std::byte> compress(std::span<const std::byte> data, int level) {
  std::vector<std::byte> to(data.size());  // what does not fit did not get smaller
  const auto* const from = reinterpret_cast<const char*>(data.data());
  auto* const out = reinterpret_cast<char*>(to.data());
  const int size = static_cast<int>(data.size()), room = size - 1;
  const int n = level <= 1 ? ::LZ4_compress_default(from, out, size, room)
                           : ::LZ4_compress_HC(from, out, size, room, level);
  to.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return to;
}

bool decompress(std::span<const std::byte> data, std::span<std::byte> to) {
  return ::LZ4_decompress_safe(reinterpret_cast<const char*>(data.data()),
                               reinterpret_cast<char*>(to.data()), static_cast<int>(data.size()),
                               static_cast<int>(to.size())) == static_cast<int>(to.size());
}

}  // namespace

const CodecChoice kCodecLz4 = {2, "lz4", "lz4, fast", compress, decompress};

}  // namespace missive::zar
