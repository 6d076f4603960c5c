#include "real/zar/image.h"

#include <algorithm>

#include "models/error.h"
#include "real/zar/image_reader.h"
#include "real/zar/wire.h"

namespace missive::zar {

bool is_image_path(std::string_view path) {
  if (path == "/") return true;
  if (path.empty() || path.front() != '/' || path.size() > kMaxPath) return false;
  // By bytes: names are too short for memchr(3) to pay.
  std::size_t from = 1;  // of the name that `at` is in
  for (std::size_t at = 1; at <= path.size(); ++at) {
    if (at < path.size() && path[at] == '\0') return false;
    if (at < path.size() && path[at] != '/') continue;
    const std::string_view name = path.substr(from, at - from);
    if (name.empty() || name == "." || name == ".." || name.size() > kMaxName) return false;
    from = at + 1;
  }
  return true;
}

std::string_view parent_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::size_t lower_bound_entry(const std::vector<Entry>& entries, std::string_view path) {
  const auto it = std::lower_bound(entries.begin(), entries.end(), path,
                                   [](const Entry& e, std::string_view p) { return e.path < p; });
  return static_cast<std::size_t>(it - entries.begin());
}

namespace {

struct Checked {  // sections that the index refers to
  const ImageHeader& header;
  const std::vector<Image::Extra>& extras;
  const std::vector<Extent>& extents;
  const std::vector<Piece>& pieces;
};

// Where `length` bytes of content may lie: the rules of docs/zarfile-format.md, "Content".
void check_place(const Unchecked& image, const Checked& c, std::uint64_t offset,
                 std::uint64_t length, std::uint64_t at) {
  if (!c.header.of(Section::content).holds(offset, length))
    image.refuse(at, "file outside the content section");
  if (c.header.shared_pages && length < kPage) {
    if (offset % kPacked != 0 || offset % kPage + length > kPage)
      image.refuse(at, "small file across a page or not aligned");
  } else if (offset % kPage != 0) {
    image.refuse(at, "file does not start on a page");
  }
  if (c.header.shape.units == UnitKind::blocks) return;
  const auto behind =
      std::upper_bound(c.pieces.begin(), c.pieces.end(), offset,
                       [](std::uint64_t o, const Piece& piece) { return o < piece.offset; });
  if (behind == c.pieces.begin() || offset + length > std::prev(behind)->end())
    image.refuse(at, "file outside the pieces");
}

void check_extents(const Unchecked& image, const Checked& c, const Entry& e, std::uint64_t at) {
  if (e.offset != 0) image.refuse(at + 32, "file in extents with an offset");
  if (e.extra == 0) image.refuse(at + 12, "file in extents without extents");
  const Image::Extra& extra = c.extras[e.extra - 1];
  std::uint64_t end = 0;
  for (std::uint32_t i = 0; i < extra.extents; ++i) {
    const Extent& extent = c.extents[extra.first_extent + i];
    if (extent.file_offset < end || extent.file_end() > e.size)
      image.refuse(at, "extents that overlap or lie outside their file");
    end = extent.file_end();
    check_place(image, c, extent.offset, extent.length, at);
  }
}

void check_file(const Unchecked& image, const Checked& c, const Entry& e, std::uint64_t at) {
  if (e.in_extents) return check_extents(image, c, e, at);
  if (e.partial) image.refuse(at + 7, "partial file that is not in extents");
  if (e.extra != 0 && c.extras[e.extra - 1].extents != 0)
    image.refuse(at + 7, "extents of a file in one piece");
  if (e.size == 0 && e.offset != 0) image.refuse(at, "empty file with an offset");
  if (e.size != 0) check_place(image, c, e.offset, e.size, at);
}

void check_symlink(const Unchecked& image, const Checked& c, const Entry& e, std::uint64_t at) {
  if (e.size == 0 || e.size > kMaxPath || !c.header.of(Section::strings).holds(e.offset, e.size))
    image.refuse(at, "target of a symbolic link outside the string table, empty or too long");
  if (image.text(e.offset, e.size).find('\0') != std::string_view::npos)
    image.refuse(at, "zero byte in the target of a symbolic link");
}

Entry read_entry(const Unchecked& image, const Checked& c, std::uint64_t at) {
  const auto path_offset = load_le<std::uint32_t>(image.data, at);
  const auto path_length = load_le<std::uint16_t>(image.data, at + 4);
  const ImageRange& strings = c.header.of(Section::strings);
  if (!strings.holds(strings.offset + path_offset, path_length))
    image.refuse(at, "path outside the string table");
  Entry e;
  e.path = image.text(strings.offset + path_offset, path_length);
  if (!is_image_path(e.path)) image.refuse(at, "path that is not absolute and normalised");
  const auto kind = std::to_integer<std::uint8_t>(image.data[at + 6]);
  if (kind < 1 || kind > 3) image.refuse(at + 6, "entry kind " + std::to_string(kind));
  e.kind = EntryKind{kind};
  const auto flags = std::to_integer<std::uint8_t>(image.data[at + 7]);
  if ((flags & ~(kFlagExtents | kFlagPartial)) != 0 || (flags != 0 && e.kind != EntryKind::file))
    image.refuse(at + 7, "unknown flags, or flags of something that is no file");
  e.in_extents = (flags & kFlagExtents) != 0;
  e.partial = (flags & kFlagPartial) != 0;
  e.mode = load_le<std::uint32_t>(image.data, at + 8);
  if ((e.mode & ~kModeBits) != 0) image.refuse(at + 8, "mode bits beyond 01777");
  e.extra = load_le<std::uint32_t>(image.data, at + 12);
  if (e.extra > c.extras.size()) image.refuse(at + 12, "extra that does not exist");
  e.mtime_ns = load_le<std::int64_t>(image.data, at + 16);
  e.size = load_le<std::uint64_t>(image.data, at + 24);
  e.offset = load_le<std::uint64_t>(image.data, at + 32);
  if (e.size >> 63U != 0) image.refuse(at + 24, "size beyond 2^63");  // of off_t
  if (e.kind == EntryKind::file) {
    check_file(image, c, e, at);
  } else {
    if (e.extra != 0 && (c.extras[e.extra - 1].extents != 0 || c.extras[e.extra - 1].link != 0))
      image.refuse(at + 12, "extents or hard links of something that is no file");
    if (e.kind == EntryKind::symlink)
      check_symlink(image, c, e, at);
    else if (e.size != 0 || e.offset != 0)
      image.refuse(at + 24, "directory with content");
  }
  return e;
}

// A hard link names the first entry of its file, which agrees in everything but the path.
void check_link(const Unchecked& image, const Checked& c, const std::vector<Entry>& entries,
                std::size_t i, std::uint64_t at) {
  const Entry& e = entries[i];
  if (e.extra == 0 || c.extras[e.extra - 1].link == 0) return;
  const Image::Extra& extra = c.extras[e.extra - 1];
  const std::size_t first = extra.link - 1;
  if (first > i) image.refuse(at, "hard link to a later entry");
  if (first == i) return;
  const Entry& f = entries[first];
  if (f.kind != EntryKind::file || f.extra == 0 || c.extras[f.extra - 1].link != extra.link)
    image.refuse(at, "hard link to something else than a file's first name");
  const Image::Extra& other = c.extras[f.extra - 1];
  if (e.mode != f.mode || e.mtime_ns != f.mtime_ns || e.size != f.size || e.offset != f.offset ||
      e.in_extents != f.in_extents || e.partial != f.partial ||
      extra.first_extent != other.first_extent || extra.extents != other.extents ||
      extra.attributes_offset != other.attributes_offset ||
      extra.attributes_length != other.attributes_length)
    image.refuse(at, "hard link that differs from its file");
}

std::vector<Entry> read_entries(const Unchecked& image, const Checked& c) {
  const ImageRange& index = c.header.of(Section::index);
  std::vector<Entry> entries;
  entries.reserve(index.length / kIndexRecord);
  std::size_t up = 0;  // the parent; neighbours mostly share it: saves the search
  for (std::uint64_t at = index.offset; at < index.end(); at += kIndexRecord) {
    const Entry e = read_entry(image, c, at);
    if (entries.empty()) {
      if (e.path != "/" || e.kind != EntryKind::directory)
        image.refuse(at, "the first entry is not the root directory");
    } else {
      if (!(entries.back().path < e.path)) image.refuse(at, "paths out of order");
      const std::string_view parent = parent_path(e.path);
      if (entries[up].path != parent) up = lower_bound_entry(entries, parent);
      if (up == entries.size() || entries[up].path != parent ||
          entries[up].kind != EntryKind::directory)
        image.refuse(at, "entry whose parent is no directory");
    }
    entries.push_back(e);
    check_link(image, c, entries, entries.size() - 1, at);
  }
  if (entries.empty()) image.refuse(index.offset, "no entries");
  return entries;
}

}  // namespace

Image Image::open(std::span<const std::byte> data, const std::string& where) {
  const Unchecked unchecked{data, where};
  const ImageHeader header = read_header(unchecked);
  Image image;
  image.data_ = data;
  image.shape_ = header.shape;
  image.chunking_ = header.chunking;
  image.packing_ = header.packing;
  image.placement_ = header.placement;
  image.shares_pages_ = header.shared_pages;
  image.metadata_bytes_ = header.of(Section::pieces).end();
  image.content_start_ = header.of(Section::content).offset;
  image.extras_ = read_extras(unchecked, header);
  image.extents_ = read_extents(unchecked, header);
  image.pieces_ = read_pieces(unchecked, header);
  image.entries_ = read_entries(unchecked, {header, image.extras_, image.extents_, image.pieces_});
  image.absent_ = read_absent(unchecked, header, image.entries_);
  image.runs_ = read_runs(unchecked, header, image.entries_);
  return image;
}

static_assert(Image::kHeaderBytes == kHeader);

std::uint64_t Image::opened_bytes(std::span<const std::byte> data, const std::string& where) {
  return read_header({data, where}).of(Section::content).offset;
}

std::optional<std::uint32_t> Image::find(std::string_view path) const {
  const std::size_t at = lower_bound_entry(entries_, path);
  if (at == entries_.size() || entries_[at].path != path) return std::nullopt;
  return static_cast<std::uint32_t>(at);
}

std::vector<Extent> Image::extents(const Entry& entry) const {
  if (entry.kind != EntryKind::file || entry.size == 0) return {};
  if (!entry.in_extents) return {{0, entry.offset, entry.size}};
  const Extra& extra = extras_[entry.extra - 1];
  const auto first = extents_.begin() + extra.first_extent;
  return {first, first + extra.extents};
}

std::span<const std::byte> Image::view(const Entry& entry, std::uint64_t offset,
                                       std::uint64_t length,
                                       std::vector<std::byte>& scratch) const {
  offset = std::min(offset, entry.size);
  length = std::min(length, entry.size - offset);
  if (!entry.in_extents) return content(entry).subspan(offset, length);
  if (length == 0) return {};
  const std::uint64_t end = offset + length;
  scratch.assign(length, std::byte{0});
  std::uint64_t covered = offset;
  for (const Extent& extent : extents(entry)) {
    if (extent.file_end() <= offset) continue;
    if (extent.file_offset >= end) break;
    const std::uint64_t from = std::max(offset, extent.file_offset);
    const std::uint64_t to = std::min(end, extent.file_end());
    const auto part = data_.subspan(extent.offset + (from - extent.file_offset), to - from);
    if (part.size() == length) return part;
    if (entry.partial && from > covered) break;
    std::copy(part.begin(), part.end(), scratch.begin() + static_cast<long>(from - offset));
    covered = to;
  }
  if (entry.partial && covered < end)
    throw RunError(std::string(entry.path) + ": byte " + std::to_string(covered) +
                   " is not in the image, which holds what a start needs of it; fetch the file");
  return scratch;
}

std::vector<Attribute> Image::attributes(const Entry& entry) const {
  if (entry.extra == 0) return {};
  const Extra& extra = extras_[entry.extra - 1];
  const std::string where = "image";
  return read_attributes({data_, where}, {extra.attributes_offset, extra.attributes_length});
}

std::uint32_t Image::link_of(std::uint32_t entry) const {
  const std::uint32_t extra = entries_[entry].extra;
  const std::uint32_t link = extra == 0 ? 0 : extras_[extra - 1].link;
  return link == 0 ? entry : link - 1;
}

std::vector<std::uint32_t> Image::children(std::uint32_t directory) const {
  std::vector<std::uint32_t> result;
  if (directory >= entries_.size() || entries_[directory].kind != EntryKind::directory)
    return result;
  std::string prefix(entries_[directory].path);
  if (prefix != "/") prefix += '/';
  // Everything below the directory lies together behind its prefix. Below a child directory we jump
  // over its own part, which ends before CHILD + '0' ('0' follows '/' in ASCII).
  std::size_t at = lower_bound_entry(entries_, prefix);
  if (at < entries_.size() && entries_[at].path == prefix) ++at;  // the root is its own prefix
  while (at < entries_.size() && entries_[at].path.starts_with(prefix)) {
    const std::string_view path = entries_[at].path;
    const std::size_t slash = path.find('/', prefix.size());
    if (slash == std::string_view::npos) {
      result.push_back(static_cast<std::uint32_t>(at++));
    } else {
      at = lower_bound_entry(entries_, std::string(path.substr(0, slash)) + '0');
    }
  }
  return result;
}

}  // namespace missive::zar
