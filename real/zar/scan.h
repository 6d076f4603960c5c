#pragma once
// What a directory tree holds, as the image builder sees it: paths as they will be inside the image
// ("/usr/bin/x"), in byte order. Devices, fifos and sockets are left out, and so is what lies in
// /proc, /sys and /dev, which the launcher provides. Directories that programs expect (/tmp, /run
// ...) are added where the tree lacks them.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "real/fd.h"
#include "real/zar/image.h"

namespace missive::zar {

struct TreeEntry {
  std::string path;
  EntryKind kind = EntryKind::file;
  std::uint32_t mode = 0;
  std::int64_t mtime_ns = 0;
  std::string target;   // of a symbolic link
  bool chosen = false;  // regular files: part of the image; describe() fills mode, time, size
  std::uint64_t size = 0;
  std::uint64_t device = 0, inode = 0;  // to find hard links; never stored
};

class Tree {
 public:
  // Reads all directories and symbolic links below `root`; of regular files only the names.
  // Throws InputError naming the path that cannot be read.
  explicit Tree(const std::filesystem::path& root);

  std::vector<TreeEntry>& entries() { return entries_; }
  const std::vector<TreeEntry>& entries() const { return entries_; }

  // The regular file that `path` leads to, symbolic links followed as a process with this tree as
  // its root would; none when there is no such file.
  std::optional<std::size_t> resolve_file(const std::string& path) const;

  // Fills in mode, time and size of a regular file.
  void describe(TreeEntry& file) const;
  // Opens a regular file for reading and checks that it is still as described. Throws RunError.
  UniqueFd open(const TreeEntry& file) const;
  // Throws RunError when the file no longer is as described.
  void check_unchanged(const TreeEntry& file, int fd) const;

 private:
  void read_directory(std::size_t directory);
  void add_standard_directories();
  std::optional<std::size_t> find(std::string_view path) const;
  std::string outside(const TreeEntry& entry) const { return root_.string() + entry.path; }

  std::filesystem::path root_;
  UniqueFd fd_;
  std::vector<TreeEntry> entries_;
};

}  // namespace missive::zar
