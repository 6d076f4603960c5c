#pragma once
// Integers in the byte order of all formats of this room.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace missive::cache {

template <typename Unsigned>
void store_le(std::byte* to, Unsigned value) {
  for (std::size_t i = 0; i < sizeof value; ++i) {
    to[i] = static_cast<std::byte>((value >> (8 * i)) & 0xff);
  }
}

template <typename Unsigned>
Unsigned load_le(const std::byte* from) {
  Unsigned value = 0;
  for (std::size_t i = 0; i < sizeof value; ++i) {
    value = static_cast<Unsigned>(value | (static_cast<Unsigned>(from[i]) << (8 * i)));
  }
  return value;
}

template <typename Unsigned>
void append_le(std::vector<std::byte>& to, Unsigned value) {
  to.resize(to.size() + sizeof value);
  store_le(to.data() + to.size() - sizeof value, value);
}

}  // namespace missive::cache
