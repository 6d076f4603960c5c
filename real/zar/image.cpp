#include "real/zar/image.h"

#include <algorithm>
#include <array>

#include "models/error.h"
#include "real/zar/layout.h"
#include "real/zar/merkle.h"
#include "real/zar/wire.h"

namespace missive::zar {

namespace {

struct Range {
  std::uint64_t offset = 0, length = 0;
  std::uint64_t end() const { return offset + length; }
  bool holds(std::uint64_t from, std::uint64_t count) const {
    return from >= offset && count <= length && from - offset <= length - count;
  }
};

struct Header {
  TreeShape shape;
  bool shared_pages = false;
  std::array<Range, kSections> sections;
  const Range& of(Section s) const { return sections[static_cast<std::uint32_t>(s) - 1]; }
};

[[noreturn]] void refuse(const std::string& where, std::uint64_t offset, const std::string& what) {
  throw InputError(where + ": byte " + std::to_string(offset) + ": " + what +
                   "; the image is damaged or not a zarfile of version 1");
}

Header read_header(std::span<const std::byte> data, const std::string& where) {
  FieldReader p(data, where);
  if (!equal_text(p.take(kImageMagic.size()), kImageMagic)) refuse(where, 0, "wrong magic number");
  if (const auto v = p.get<std::uint32_t>(); v != kFormVersion)
    refuse(where, 8, "version " + std::to_string(v));
  if (const auto n = p.get<std::uint32_t>(); n != kHeader)
    refuse(where, 12, "header of " + std::to_string(n) + " bytes");
  Header h;
  h.shape.length = p.get<std::uint64_t>();
  h.shape.block_size = p.get<std::uint32_t>();
  h.shape.degree = p.get<std::uint32_t>();
  check(h.shape, where);
  if (h.shape.length != data.size())
    refuse(where, 16,
           "length " + std::to_string(h.shape.length) + " in a file of " +
               std::to_string(data.size()) + " bytes");
  if (const auto hash = p.get<std::uint32_t>(); hash != kHashSha256)
    refuse(where, 32, "hash id " + std::to_string(hash));
  if (const auto n = p.get<std::uint32_t>(); n != kSections)
    refuse(where, 36, std::to_string(n) + " sections");
  const auto features = p.get<std::uint64_t>();
  if ((features & ~kKnownFeatures) != 0)
    refuse(where, 40, "unknown feature bits " + std::to_string(features & ~kKnownFeatures));
  h.shared_pages = (features & kFeatureSharedPages) != 0;
  if (p.get<std::uint64_t>() != 0 || p.get<std::uint64_t>() != 0)
    refuse(where, 48, "reserved field is not zero");

  std::uint64_t end = kHeader;
  for (std::uint32_t i = 0; i < kSections; ++i) {
    const std::uint64_t at = p.at();
    if (p.get<std::uint32_t>() != i + 1) refuse(where, at, "sections out of order");
    constexpr std::array<std::uint32_t, kSections> kRecords = {kIndexRecord, 1, kRunRecord, 1};
    if (p.get<std::uint32_t>() != kRecords[i]) refuse(where, at + 4, "wrong record size");
    Range& s = h.sections[i];
    s.offset = p.get<std::uint64_t>();
    s.length = p.get<std::uint64_t>();
    if (s.offset < end || s.offset > data.size() || s.length > data.size() - s.offset)
      refuse(where, at + 8, "section outside the file or over another one");
    if (s.length % kRecords[i] != 0) refuse(where, at + 16, "section ends inside a record");
    end = s.end();
  }
  if (h.of(Section::content).offset % h.shape.block_size != 0 || end != data.size())
    refuse(where, kFixedHeader + 3 * kSectionRecord, "content is not whole blocks to the end");
  return h;
}

// Absolute and normalised, every name of a length Linux takes.
bool good_path(std::string_view path) {
  if (path == "/") return true;
  if (path.empty() || path.front() != '/' || path.size() > kMaxPath) return false;
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view name = path.substr(at, end - at);
    if (name.empty() || name == "." || name == ".." || name.size() > kMaxName) return false;
    if (name.find('\0') != std::string_view::npos) return false;
    at = end + 1;
  }
  return true;
}

std::string_view parent_of(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  return slash == 0 ? path.substr(0, 1) : path.substr(0, slash);
}

std::string_view text(std::span<const std::byte> data, std::uint64_t offset, std::uint64_t length) {
  return {reinterpret_cast<const char*>(data.data()) + offset, length};
}

void check_file(const Header& h, const Entry& e, std::uint64_t at, const std::string& where) {
  if (e.size == 0) {
    if (e.offset != 0) refuse(where, at, "empty file with an offset");
    return;
  }
  if (!h.of(Section::content).holds(e.offset, e.size))
    refuse(where, at, "file outside the content section");
  const bool may_share = h.shared_pages && e.size < kPage;
  if (may_share) {
    if (e.offset % kPacked != 0 || e.offset % kPage + e.size > kPage)
      refuse(where, at, "small file across a page or not aligned");
  } else if (e.offset % kPage != 0) {
    refuse(where, at, "file does not start on a page");
  }
}

void check_symlink(const Header& h, const Entry& e, std::span<const std::byte> data,
                   std::uint64_t at, const std::string& where) {
  if (e.size == 0 || e.size > kMaxPath || !h.of(Section::strings).holds(e.offset, e.size))
    refuse(where, at, "target of a symbolic link outside the string table, empty or too long");
  if (text(data, e.offset, e.size).find('\0') != std::string_view::npos)
    refuse(where, at, "zero byte in the target of a symbolic link");
}

Entry read_entry(const Header& h, std::span<const std::byte> data, std::uint64_t at,
                 const std::string& where) {
  const auto path_offset = load_le<std::uint32_t>(data, at);
  const auto path_length = load_le<std::uint16_t>(data, at + 4);
  const Range& strings = h.of(Section::strings);
  if (!strings.holds(strings.offset + path_offset, path_length))
    refuse(where, at, "path outside the string table");
  Entry e;
  e.path = text(data, strings.offset + path_offset, path_length);
  if (!good_path(e.path)) refuse(where, at, "path that is not absolute and normalised");
  const auto kind = std::to_integer<std::uint8_t>(data[at + 6]);
  if (kind < 1 || kind > 3) refuse(where, at + 6, "entry kind " + std::to_string(kind));
  e.kind = EntryKind{kind};
  if (std::to_integer<std::uint8_t>(data[at + 7]) != 0 ||
      load_le<std::uint32_t>(data, at + 12) != 0)
    refuse(where, at + 7, "reserved field is not zero");
  e.mode = load_le<std::uint32_t>(data, at + 8);
  if ((e.mode & ~kModeBits) != 0) refuse(where, at + 8, "mode bits beyond 01777");
  e.mtime_ns = load_le<std::int64_t>(data, at + 16);
  e.size = load_le<std::uint64_t>(data, at + 24);
  e.offset = load_le<std::uint64_t>(data, at + 32);
  switch (e.kind) {
    case EntryKind::file:
      check_file(h, e, at, where);
      break;
    case EntryKind::directory:
      if (e.size != 0 || e.offset != 0) refuse(where, at + 24, "directory with content");
      break;
    case EntryKind::symlink:
      check_symlink(h, e, data, at, where);
      break;
  }
  return e;
}

std::size_t lower_bound(const std::vector<Entry>& entries, std::string_view path) {
  const auto it = std::lower_bound(entries.begin(), entries.end(), path,
                                   [](const Entry& e, std::string_view p) { return e.path < p; });
  return static_cast<std::size_t>(it - entries.begin());
}

std::vector<Entry> read_entries(const Header& h, std::span<const std::byte> data,
                                const std::string& where) {
  const Range& index = h.of(Section::index);
  std::vector<Entry> entries;
  entries.reserve(index.length / kIndexRecord);
  std::size_t last_parent = 0;  // neighbours mostly share a parent: saves the search
  for (std::uint64_t at = index.offset; at < index.end(); at += kIndexRecord) {
    const Entry e = read_entry(h, data, at, where);
    if (entries.empty()) {
      if (e.path != "/" || e.kind != EntryKind::directory)
        refuse(where, at, "the first entry is not the root directory");
    } else {
      if (e.path <= entries.back().path) refuse(where, at, "paths out of order or twice");
      const std::string_view parent = parent_of(e.path);
      if (entries[last_parent].path != parent) last_parent = lower_bound(entries, parent);
      if (last_parent == entries.size() || entries[last_parent].path != parent ||
          entries[last_parent].kind != EntryKind::directory)
        refuse(where, at, "parent is missing or no directory");
    }
    entries.push_back(e);
  }
  if (entries.empty()) refuse(where, index.offset, "no entries");
  return entries;
}

std::vector<LaunchRun> read_runs(const Header& h, std::span<const std::byte> data,
                                 const std::vector<Entry>& entries, const std::string& where) {
  const Range& section = h.of(Section::launch_runs);
  std::vector<LaunchRun> runs;
  runs.reserve(section.length / kRunRecord);
  for (std::uint64_t at = section.offset; at < section.end(); at += kRunRecord) {
    const LaunchRun run = {load_le<std::uint32_t>(data, at), load_le<std::uint32_t>(data, at + 4),
                           load_le<std::uint32_t>(data, at + 8)};
    if (run.entry >= entries.size() || entries[run.entry].kind != EntryKind::file)
      refuse(where, at, "launch run of no file");
    const std::uint64_t pages = align_up(entries[run.entry].size, kPage) / kPage;
    if (run.pages == 0 || std::uint64_t{run.first_page} + run.pages > pages)
      refuse(where, at, "launch run outside its file");
    runs.push_back(run);
  }
  return runs;
}

}  // namespace

Image Image::open(std::span<const std::byte> data, const std::string& where) {
  const Header header = read_header(data, where);
  Image image;
  image.data_ = data;
  image.block_size_ = header.shape.block_size;
  image.degree_ = header.shape.degree;
  image.entries_ = read_entries(header, data, where);
  image.runs_ = read_runs(header, data, image.entries_, where);
  return image;
}

std::optional<std::uint32_t> Image::find(std::string_view path) const {
  const std::size_t at = lower_bound(entries_, path);
  if (at == entries_.size() || entries_[at].path != path) return std::nullopt;
  return static_cast<std::uint32_t>(at);
}

std::vector<std::uint32_t> Image::children(std::uint32_t directory) const {
  std::vector<std::uint32_t> result;
  if (directory >= entries_.size() || entries_[directory].kind != EntryKind::directory)
    return result;
  std::string prefix(entries_[directory].path);
  if (prefix != "/") prefix += '/';
  // Everything below the directory lies together behind its prefix. Below a child directory we jump
  // over its own part, which ends before CHILD + '0' ('0' follows '/' in ASCII).
  std::size_t at = lower_bound(entries_, prefix);
  if (at < entries_.size() && entries_[at].path == prefix) ++at;  // the root is its own prefix
  while (at < entries_.size() && entries_[at].path.starts_with(prefix)) {
    const std::string_view path = entries_[at].path;
    const std::size_t slash = path.find('/', prefix.size());
    if (slash == std::string_view::npos) {
      result.push_back(static_cast<std::uint32_t>(at++));
    } else {
      at = lower_bound(entries_, std::string(path.substr(0, slash)) + '0');
    }
  }
  return result;
}

}  // namespace missive::zar
