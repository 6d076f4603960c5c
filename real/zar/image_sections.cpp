// Checks of a zarfile's header and of all sections but the index.

#include <algorithm>

#include "models/error.h"
#include "real/zar/image_reader.h"
#include "real/zar/wire.h"

namespace missive::zar {

void Unchecked::refuse(std::uint64_t offset, const std::string& what) const {
  throw InputError(where + ": byte " + std::to_string(offset) + ": " + what +
                   "; the image is damaged or not a zarfile of version 2");
}

namespace {

void read_options(const Unchecked& image, FieldReader& p, ImageHeader& h) {
  const std::uint64_t at = p.at();
  h.shape.units = UnitKind{p.get<std::uint8_t>()};
  h.shape.tree = TreeKind{p.get<std::uint8_t>()};
  h.packing = p.get<std::uint8_t>();
  h.placement = p.get<std::uint8_t>();
  const Chunking c{p.get<std::uint32_t>(), p.get<std::uint32_t>(), p.get<std::uint32_t>()};
  check(h.shape, image.where);
  if (h.shape.units == UnitKind::cdc) {
    check(c, image.where);
    h.chunking = c;
  } else if (c != Chunking{0, 0, 0}) {
    image.refuse(at + 4, "sizes of chunks where there are none");
  }
}

void read_section_table(const Unchecked& image, FieldReader& p, ImageHeader& h) {
  std::uint64_t end = kHeader;
  for (std::uint32_t i = 0; i < kSections; ++i) {
    const std::uint64_t at = p.at();
    if (p.get<std::uint32_t>() != i + 1) image.refuse(at, "sections out of order");
    if (p.get<std::uint32_t>() != kRecords[i]) image.refuse(at + 4, "wrong record size");
    ImageRange& s = h.sections[i];
    s.offset = p.get<std::uint64_t>();
    s.length = p.get<std::uint64_t>();
    if (s.offset < end || s.offset > image.data.size() || s.length > image.data.size() - s.offset)
      image.refuse(at + 8, "section outside the file or over another one");
    if (s.length % kRecords[i] != 0) image.refuse(at + 16, "section ends inside a record");
    end = s.end();
  }
  if (h.of(Section::content).offset % h.shape.block_size != 0 || end != image.data.size())
    image.refuse(kHeader - kSectionRecord, "content is not whole blocks to the end");
}

}  // namespace

ImageHeader read_header(const Unchecked& image) {
  FieldReader p(image.data, image.where);
  if (!equal_text(p.take(kImageMagic.size()), kImageMagic)) image.refuse(0, "wrong magic number");
  if (const auto v = p.get<std::uint32_t>(); v != kImageVersion)
    image.refuse(8, "version " + std::to_string(v));
  if (const auto n = p.get<std::uint32_t>(); n != kHeader)
    image.refuse(12, "header of " + std::to_string(n) + " bytes");
  ImageHeader h;
  h.shape.length = p.get<std::uint64_t>();
  h.shape.block_size = p.get<std::uint32_t>();
  h.shape.degree = p.get<std::uint32_t>();
  check(h.shape, image.where);
  if (h.shape.length != image.data.size())
    image.refuse(16, "length " + std::to_string(h.shape.length) + " in a file of " +
                         std::to_string(image.data.size()) + " bytes");
  if (const auto hash = p.get<std::uint32_t>(); hash != kHashSha256)
    image.refuse(32, "hash id " + std::to_string(hash));
  if (const auto n = p.get<std::uint32_t>(); n != kSections)
    image.refuse(36, std::to_string(n) + " sections");
  const auto features = p.get<std::uint64_t>();
  if ((features & ~kKnownFeatures) != 0)
    image.refuse(40, "unknown feature bits " + std::to_string(features & ~kKnownFeatures));
  h.shared_pages = (features & kFeatureSharedPages) != 0;
  read_options(image, p, h);
  read_section_table(image, p, h);
  return h;
}

std::vector<Image::Extra> read_extras(const Unchecked& image, const ImageHeader& h) {
  const ImageRange& section = h.of(Section::extras);
  const ImageRange& strings = h.of(Section::strings);
  const std::uint64_t extents = h.of(Section::extents).length / kExtentRecord;
  std::vector<Image::Extra> extras;
  extras.reserve(section.length / kExtraRecord);
  for (std::uint64_t at = section.offset; at < section.end(); at += kExtraRecord) {
    Image::Extra e;
    e.attributes_offset = strings.offset + load_le<std::uint32_t>(image.data, at);
    e.attributes_length = load_le<std::uint32_t>(image.data, at + 4);
    e.first_extent = load_le<std::uint32_t>(image.data, at + 8);
    e.extents = load_le<std::uint32_t>(image.data, at + 12);
    e.link = load_le<std::uint32_t>(image.data, at + 16);
    if (load_le<std::uint32_t>(image.data, at + 20) != 0)
      image.refuse(at + 20, "reserved field is not zero");
    if (e.attributes_length > kMaxAttributes ||
        !strings.holds(e.attributes_offset, e.attributes_length))
      image.refuse(at, "attributes outside the string table or too long");
    read_attributes(image, {e.attributes_offset, e.attributes_length});
    if (std::uint64_t{e.first_extent} + e.extents > extents)
      image.refuse(at + 8, "extents that do not exist");
    extras.push_back(e);
  }
  return extras;
}

std::vector<Attribute> read_attributes(const Unchecked& image, const ImageRange& range) {
  std::vector<Attribute> attributes;
  FieldReader p(image.data.subspan(range.offset, range.length), image.where + ": attributes");
  while (p.left() > 0) {
    const std::uint64_t at = range.offset + p.at();
    const auto name_length = p.get<std::uint8_t>();
    const auto value_length = p.get<std::uint16_t>();
    const auto name = p.take(name_length);
    const std::string_view text(reinterpret_cast<const char*>(name.data()), name.size());
    if (!text.starts_with("user.") || text.size() == 5 || text.find('\0') != std::string_view::npos)
      image.refuse(at, "attribute that is not of the namespace \"user.\"");
    if (!attributes.empty() && text <= attributes.back().name)
      image.refuse(at, "attributes out of order");
    attributes.push_back({text, p.take(value_length)});
  }
  return attributes;
}

std::vector<Extent> read_extents(const Unchecked& image, const ImageHeader& h) {
  const ImageRange& section = h.of(Section::extents);
  std::vector<Extent> extents;
  extents.reserve(section.length / kExtentRecord);
  for (std::uint64_t at = section.offset; at < section.end(); at += kExtentRecord) {
    const Extent e{load_le<std::uint64_t>(image.data, at),
                   load_le<std::uint64_t>(image.data, at + 8),
                   load_le<std::uint64_t>(image.data, at + 16)};
    if (e.length == 0 || !h.of(Section::content).holds(e.offset, e.length) ||
        e.file_offset + e.length < e.length)
      image.refuse(at, "extent that is empty or outside the content section");
    if (e.file_offset % kPage != 0)
      image.refuse(at, "extent that does not start on a page of its file");
    extents.push_back(e);
  }
  return extents;
}

std::vector<std::string_view> read_absent(const Unchecked& image, const ImageHeader& h,
                                          const std::vector<Entry>& entries) {
  const ImageRange& section = h.of(Section::absent);
  const ImageRange& strings = h.of(Section::strings);
  std::vector<std::string_view> absent;
  absent.reserve(section.length / kAbsentRecord);
  for (std::uint64_t at = section.offset; at < section.end(); at += kAbsentRecord) {
    const std::uint64_t offset = strings.offset + load_le<std::uint32_t>(image.data, at);
    const auto length = load_le<std::uint32_t>(image.data, at + 4);
    if (!strings.holds(offset, length)) image.refuse(at, "path outside the string table");
    const std::string_view path = image.text(offset, length);
    if (!is_image_path(path)) image.refuse(at, "path that is not absolute and normalised");
    if (!absent.empty() && path <= absent.back()) image.refuse(at, "absent names out of order");
    const std::size_t same = lower_bound_entry(entries, path);
    if (same < entries.size() && entries[same].path == path)
      image.refuse(at, "absent name that exists");
    const std::string_view parent = parent_path(path);
    const std::size_t up = lower_bound_entry(entries, parent);
    if (up == entries.size() || entries[up].path != parent ||
        entries[up].kind != EntryKind::directory)
      image.refuse(at, "absent name whose parent is no directory");
    absent.push_back(path);
  }
  return absent;
}

std::vector<LaunchRun> read_runs(const Unchecked& image, const ImageHeader& h,
                                 const std::vector<Entry>& entries) {
  const ImageRange& section = h.of(Section::launch_runs);
  std::vector<LaunchRun> runs;
  runs.reserve(section.length / kRunRecord);
  for (std::uint64_t at = section.offset; at < section.end(); at += kRunRecord) {
    const LaunchRun run = {load_le<std::uint32_t>(image.data, at),
                           load_le<std::uint32_t>(image.data, at + 4),
                           load_le<std::uint32_t>(image.data, at + 8)};
    if (run.entry >= entries.size() || entries[run.entry].kind != EntryKind::file)
      image.refuse(at, "launch run of no file");
    const std::uint64_t pages =
        entries[run.entry].size / kPage + (entries[run.entry].size % kPage != 0);
    if (run.pages == 0 || std::uint64_t{run.first_page} + run.pages > pages)
      image.refuse(at, "launch run outside its file");
    runs.push_back(run);
  }
  return runs;
}

std::vector<Piece> read_pieces(const Unchecked& image, const ImageHeader& h) {
  const ImageRange& section = h.of(Section::pieces);
  if (h.shape.units == UnitKind::blocks && section.length != 0)
    image.refuse(section.offset, "pieces in an image that is cut into blocks");
  std::vector<Piece> pieces;
  pieces.reserve(section.length / kPieceRecord);
  std::uint64_t end = h.of(Section::content).offset;
  for (std::uint64_t at = section.offset; at < section.end(); at += kPieceRecord) {
    const Piece piece{load_le<std::uint64_t>(image.data, at),
                      load_le<std::uint64_t>(image.data, at + 8)};
    if (piece.length == 0 || piece.offset < end ||
        !h.of(Section::content).holds(piece.offset, piece.length))
      image.refuse(at, "piece that is empty, outside the content section or over another one");
    end = piece.end();
    pieces.push_back(piece);
  }
  return pieces;
}

}  // namespace missive::zar
