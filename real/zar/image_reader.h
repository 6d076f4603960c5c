#pragma once
// What image.cpp and image_sections.cpp share: the header as checked, and how an image is refused.

#include <array>
#include <span>
#include <string>

#include "real/zar/image.h"
#include "real/zar/layout.h"

namespace missive::zar {

struct ImageRange {
  std::uint64_t offset = 0, length = 0;
  std::uint64_t end() const { return offset + length; }
  bool holds(std::uint64_t from, std::uint64_t count) const {
    return from >= offset && count <= length && from - offset <= length - count;
  }
};

struct ImageHeader {
  TreeShape shape;
  Chunking chunking;
  std::uint8_t packing = 0, placement = 0;
  bool shared_pages = false;
  std::array<ImageRange, kSections> sections;
  const ImageRange& of(Section s) const { return sections[static_cast<std::uint32_t>(s) - 1]; }
};

// An image that is being checked.
struct Unchecked {
  std::span<const std::byte> data;
  const std::string& where;

  [[noreturn]] void refuse(std::uint64_t offset, const std::string& what) const;
  std::string_view text(std::uint64_t offset, std::uint64_t length) const {
    return {reinterpret_cast<const char*>(data.data()) + offset, length};
  }
};

ImageHeader read_header(const Unchecked& image);
std::vector<Image::Extra> read_extras(const Unchecked& image, const ImageHeader& h);
std::vector<Extent> read_extents(const Unchecked& image, const ImageHeader& h);
std::vector<std::string_view> read_absent(const Unchecked& image, const ImageHeader& h,
                                          const std::vector<Entry>& entries);
std::vector<LaunchRun> read_runs(const Unchecked& image, const ImageHeader& h,
                                 const std::vector<Entry>& entries);
std::vector<Piece> read_pieces(const Unchecked& image, const ImageHeader& h);
// Attributes of one entry lie back to back: name length (1 byte), value length (2), name, value.
// Refuses what is not in name order, too long or of another namespace.
std::vector<Attribute> read_attributes(const Unchecked& image, const ImageRange& range);

std::string_view parent_path(std::string_view path);
std::size_t lower_bound_entry(const std::vector<Entry>& entries, std::string_view path);

}  // namespace missive::zar
