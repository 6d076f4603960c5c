#pragma once
// What a directory tree holds, as the image builder sees it: paths as they will be inside the image
// ("/usr/bin/x"), in byte order. Devices, fifos and sockets are left out, and so is what lies in
// /proc, /sys and /dev, which the launcher provides. Directories that programs expect (/tmp, /run
// ...) are added where the tree lacks them.
//
// A tree of a million files takes some 110 MB: 56 bytes an entry, and its path and link target back
// to back in large slabs.

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "real/fd.h"
#include "real/zar/image.h"

namespace missive::zar {

// Texts that live as long as the arena and never move.
class Arena {
 public:
  const char* keep(std::string_view text);

 private:
  static constexpr std::size_t kSlab = 1 << 18;
  std::vector<std::unique_ptr<char[]>> slabs_;
  std::size_t used_ = kSlab;
};

struct TreeEntry {
  const char* text = "";  // in the tree's arena: path, then the target of a symbolic link
  std::uint16_t path_length = 0, target_length = 0;
  std::uint16_t mode = 0;
  EntryKind kind = EntryKind::file;
  bool chosen : 1 = false;  // regular files: part of the image; describe() has filled it in
  bool sparse : 1 = false;  // has holes: see data_runs()
  bool linked : 1 = false;  // has several names
  std::uint32_t extra = 0;  // of the builder: 1 + index of what few entries have
  std::int64_t mtime_ns = 0;
  std::uint64_t size = 0;
  std::uint64_t inode = 0, device = 0;  // to find hard links and changes; never stored

  std::string_view path() const { return {text, path_length}; }
  std::string_view target() const { return {text + path_length, target_length}; }
};

// Extended attributes as an image stores them (image_reader.h, read_attributes()).
using Attributes = std::vector<std::byte>;

struct Stretch {  // of a file
  std::uint64_t offset = 0, length = 0;
  std::uint64_t end() const { return offset + length; }
};

class Tree {
 public:
  // Reads all directories and symbolic links below `root`; of regular files only the names.
  // Throws InputError naming the path that cannot be read.
  explicit Tree(const std::filesystem::path& root);

  std::vector<TreeEntry>& entries() { return entries_; }
  const std::vector<TreeEntry>& entries() const { return entries_; }
  // Devices, fifos and sockets that were left out.
  std::uint64_t left_out() const { return left_out_; }

  std::optional<std::size_t> find(std::string_view path) const;
  // The regular file that `path` leads to, symbolic links followed as a process with this tree as
  // its root would; none when there is no such file.
  std::optional<std::size_t> resolve_file(const std::string& path) const;

  // Fills in mode, time, size and so on of a regular file. Safe for several threads on different
  // entries.
  void describe(TreeEntry& file) const;
  // Its "user." attributes; empty when there are none. Others do not exist in an image. Throws
  // InputError: unreadable, or more than 64 KiB of them.
  Attributes attributes(const TreeEntry& entry) const;
  // Where a sparse file has data, in whole pages, cut off at the file's end.
  std::vector<Stretch> data_runs(const TreeEntry& file) const;
  // Opens a regular file for reading and checks that it is still as described. Throws RunError.
  UniqueFd open(const TreeEntry& file) const;
  // Throws RunError when the file no longer is as described.
  void check_unchanged(const TreeEntry& file, int fd) const;
  // Its name outside, for messages.
  std::string outside(const TreeEntry& entry) const;

 private:
  void read_directory(std::size_t directory);
  void add(const std::string& parent, std::string_view name, int directory, unsigned char type);
  void add_standard_directories();
  std::string outside(std::string_view path) const { return root_.string() + std::string(path); }

  std::filesystem::path root_;
  UniqueFd fd_;
  Arena arena_;
  std::vector<TreeEntry> entries_;
  std::uint64_t left_out_ = 0;
};

}  // namespace missive::zar
