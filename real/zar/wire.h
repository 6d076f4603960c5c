#pragma once
// Little-endian fields, for every binary form of the project (docs/zarfile-format.md). FieldReader
// reads from untrusted bytes: each read is bounds-checked, and nothing is allocated on the strength
// of a length field.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "models/error.h"

namespace missive::zar {

// The value at `data[offset]`; the caller has checked the range. Written with shifts so that it
// means the same on any host; compilers turn it into one load.
template <typename T>
T load_le(std::span<const std::byte> data, std::size_t offset) {
  static_assert(std::is_integral_v<T>);
  std::make_unsigned_t<T> value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    const auto part = static_cast<std::make_unsigned_t<T>>(data[offset + i]);
    value = static_cast<std::make_unsigned_t<T>>(value | (part << (8 * i)));
  }
  return static_cast<T>(value);
}

// Appends fields to a growing buffer.
class FieldWriter {
 public:
  template <typename T>
  FieldWriter& put(std::type_identity_t<T> value) {
    static_assert(std::is_integral_v<T>);
    const auto bits = static_cast<std::make_unsigned_t<T>>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i)
      bytes_.push_back(static_cast<std::byte>((bits >> (8 * i)) & 0xff));
    return *this;
  }
  FieldWriter& put_bytes(std::span<const std::byte> bytes) {
    const std::size_t at = bytes_.size();
    bytes_.resize(at + bytes.size());
    std::copy(bytes.begin(), bytes.end(), bytes_.data() + at);
    return *this;
  }
  FieldWriter& put_text(std::string_view text) { return put_bytes(std::as_bytes(std::span(text))); }
  // Zeros up to a multiple of `alignment`.
  FieldWriter& align(std::size_t alignment) {
    bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment);
    return *this;
  }
  std::size_t size() const { return bytes_.size(); }
  const std::vector<std::byte>& bytes() const { return bytes_; }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

// Walks over fields. Throws InputError "WHERE: truncated at byte N ..." when they run out.
class FieldReader {
 public:
  FieldReader(std::span<const std::byte> data, std::string where)
      : data_(data), where_(std::move(where)) {}

  template <typename T>
  T get() {
    return load_le<T>(take(sizeof(T)), 0);
  }
  std::span<const std::byte> take(std::size_t count) {
    if (count > left())
      throw InputError(where_ + ": truncated at byte " + std::to_string(data_.size()) + "; " +
                       std::to_string(count - left()) + " more bytes expected");
    const auto part = data_.subspan(at_, count);
    at_ += count;
    return part;
  }
  std::size_t left() const { return data_.size() - at_; }
  std::size_t at() const { return at_; }

 private:
  std::span<const std::byte> data_;
  std::string where_;
  std::size_t at_ = 0;
};

inline bool equal_text(std::span<const std::byte> bytes, std::string_view text) {
  const auto other = std::as_bytes(std::span(text));
  return std::equal(bytes.begin(), bytes.end(), other.begin(), other.end());
}

// The eight bytes every form starts with: CR LF shows a transfer that took it for text.
inline constexpr std::string_view kImageMagic = "MSVZAR\r\n";
inline constexpr std::string_view kRecipeMagic = "MSVRCP\r\n";
inline constexpr std::string_view kTagMagic = "MSVTAG\r\n";
inline constexpr std::string_view kBlockTagMagic = "MSVBTG\r\n";
inline constexpr std::string_view kBootMagic = "MSVBBK\r\n";
inline constexpr std::uint32_t kFormVersion = 1;  // of recipe, boot block, tag records
inline constexpr std::uint32_t kHashSha256 = 1;   // hash id

}  // namespace missive::zar
