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

namespace missive::zar {

enum class EntryKind : std::uint8_t { file = 1, directory = 2, symlink = 3 };

struct Entry {
  std::string_view path;  // absolute, normalised: "/", "/usr/bin/gnumeric"; no "." or ".." part
  EntryKind kind = EntryKind::file;
  std::uint32_t mode = 0;  // permission bits and sticky bit (01777)
  std::int64_t mtime_ns = 0;
  std::uint64_t size = 0;  // content bytes; of a symlink: length of the target
  // Of the content in the image; page-aligned when the file has a page or more. 0 when there is
  // none: directories and empty files.
  std::uint64_t offset = 0;
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

  const std::vector<Entry>& entries() const {
    return entries_;
  }  // sorted by path; entries()[0] is "/"
  const std::vector<LaunchRun>& launch_runs() const { return runs_; }
  std::uint32_t block_size() const { return block_size_; }
  std::uint32_t degree() const { return degree_; }
  std::span<const std::byte> data() const { return data_; }

  std::optional<std::uint32_t> find(std::string_view path) const;  // index into entries()
  std::span<const std::byte> content(const Entry& entry) const {
    return data_.subspan(entry.offset, entry.size);
  }
  // Children of a directory as indices, in name order.
  std::vector<std::uint32_t> children(std::uint32_t directory) const;

 private:
  std::span<const std::byte> data_;
  std::uint32_t block_size_ = 0, degree_ = 0;
  std::vector<Entry> entries_;
  std::vector<LaunchRun> runs_;
};

}  // namespace missive::zar
