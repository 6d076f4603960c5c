#pragma once
// Reading a zarfile (docs/zarfile-format.md). The reader trusts nothing: open() checks every
// offset, length, order and name before it returns, so that content() can be a plain span
// afterwards. It does not verify hashes: give it bytes that a verifier has already accepted.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "real/zar/merkle.h"
#include "real/zar/units.h"

namespace missive::zar {

enum class EntryKind : std::uint8_t { file = 1, directory = 2, symlink = 3 };

struct Entry {
  std::string_view path;  // absolute, normalised: "/", "/usr/bin/gnumeric"; no "." or ".." part
  EntryKind kind = EntryKind::file;
  // Bytes of the file are missing from the image: it holds what a start needs of it, perhaps
  // nothing but this record.
  bool partial = false;
  bool in_extents = false;  // sparse or partial: content() is not for it
  std::uint32_t mode = 0;   // permission bits and sticky bit (01777)
  std::int64_t mtime_ns = 0;
  std::uint64_t size = 0;  // content bytes; of a symlink: length of the target
  // Of the content in the image; page-aligned when the file has a page or more. 0 when there is
  // none: directories, empty files, files in extents.
  std::uint64_t offset = 0;
  std::uint32_t extra = 0;  // 1 + index into the image's extras, 0: none
};

// A stretch of a sparse or partial file. One that starts on a page both in the file and in the
// image can be mapped; others have to be copied (Missive's "fast" and "precious" ranges).
struct Extent {
  std::uint64_t file_offset = 0, offset = 0, length = 0;
  std::uint64_t file_end() const { return file_offset + length; }
  bool operator==(const Extent&) const = default;
};

// An extended attribute; only those of the namespace "user." exist (xattr(7)).
struct Attribute {
  std::string_view name;
  std::span<const std::byte> value;
};

// A run of pages the traced start needed, in the order it needed them: what to have ready before
// the start.
struct LaunchRun {
  std::uint32_t entry = 0;  // index into entries()
  std::uint32_t first_page = 0;
  std::uint32_t pages = 0;
};

class Image {
 public:
  // `data` must outlive the Image and must not change: the Image points into it, and a check holds
  // only for the bytes that were checked. Takes memory in proportion to the index, never to what a
  // field claims. Throws InputError: what is wrong, at which offset of `where`.
  static Image open(std::span<const std::byte> data, const std::string& where);
  // Bytes at the front of an image that open() may read, as its header says: all but the content.
  // Reads the header alone (kHeaderBytes). Throws InputError.
  static std::uint64_t opened_bytes(std::span<const std::byte> data, const std::string& where);
  static constexpr std::uint64_t kHeaderBytes = 256;

  // Sorted by path; entries()[0] is "/".
  const std::vector<Entry>& entries() const { return entries_; }
  const std::vector<LaunchRun>& launch_runs() const { return runs_; }
  // Names that the traced start looked up and that do not exist: an answer without a question to
  // anybody. Sorted; none is below another one or in entries().
  const std::vector<std::string_view>& absent() const { return absent_; }

  std::uint32_t block_size() const { return shape_.block_size; }
  std::uint32_t degree() const { return shape_.degree; }
  const TreeShape& shape() const { return shape_; }
  const Chunking& chunking() const { return chunking_; }
  // What the units are cut from (units.h); empty when they are blocks.
  const std::vector<Piece>& pieces() const { return pieces_; }
  std::uint8_t packing() const { return packing_; }      // ids: what the builder was asked for
  std::uint8_t placement() const { return placement_; }  // (a reader does not depend on them)
  bool shares_pages() const { return shares_pages_; }
  std::uint64_t metadata_bytes() const { return metadata_bytes_; }  // up to the last section's end
  std::uint64_t content_start() const { return content_start_; }
  std::span<const std::byte> data() const { return data_; }

  std::optional<std::uint32_t> find(std::string_view path) const;  // index into entries()
  // Of a file in one piece, or the target of a symbolic link. For others use extents() or view().
  std::span<const std::byte> content(const Entry& entry) const {
    return data_.subspan(entry.offset, entry.in_extents ? 0 : entry.size);
  }
  // All there is of a file: one for a file in one piece, none for an empty one. By file offset.
  std::vector<Extent> extents(const Entry& entry) const;
  // Bytes [offset, offset + length) of a file, cut off at its end: straight from the image where
  // they lie in one piece, else put together in `scratch`, holes as zeros. Throws RunError when
  // some of them are not in the image.
  std::span<const std::byte> view(const Entry& entry, std::uint64_t offset, std::uint64_t length,
                                  std::vector<std::byte>& scratch) const;
  std::vector<Attribute> attributes(const Entry& entry) const;  // in name order
  // The first entry that is the same file (a hard link), or the entry itself.
  std::uint32_t link_of(std::uint32_t entry) const;

  // Children of a directory as indices, in name order.
  std::vector<std::uint32_t> children(std::uint32_t directory) const;

  struct Extra {
    std::uint64_t attributes_offset = 0, attributes_length = 0;  // in the image
    std::uint32_t first_extent = 0, extents = 0;
    std::uint32_t link = 0;  // 1 + entry; 0: none
  };

 private:
  std::span<const std::byte> data_;
  TreeShape shape_;
  Chunking chunking_;
  std::uint8_t packing_ = 0, placement_ = 0;
  bool shares_pages_ = false;
  std::uint64_t metadata_bytes_ = 0, content_start_ = 0;
  std::vector<Entry> entries_;
  std::vector<Extra> extras_;
  std::vector<Extent> extents_;
  std::vector<std::string_view> absent_;
  std::vector<LaunchRun> runs_;
  std::vector<Piece> pieces_;
};

// Absolute and normalised, every name of a length Linux takes, no zero byte.
bool is_image_path(std::string_view path);

}  // namespace missive::zar
