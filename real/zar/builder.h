#pragma once
// Building a zarfile from a directory tree. Deterministic: the same tree, selection and options
// give the same bytes on any host (no clock, no inode number, no directory order gets in).

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "real/zar/recipe.h"

namespace missive::zar {

struct BuildOptions {
  std::uint32_t block_size = 64 * 1024;  // Missive's default (research prototype: lg 16)
  std::uint32_t degree = 128;            // 128 SHA-256 digests fill one 4 KiB node
  bool pack_small_files = true;  // files below a page share pages; off: every file starts on a page
};

// Which regular files go in (all when empty), and the page runs of the traced start. Directories
// and symbolic links of the tree always go in: a path look-up must find the way.
struct Selection {
  struct Run {
    std::string path;
    std::uint32_t first_page = 0, pages = 0;
  };
  std::vector<std::string> files;  // absolute paths within the tree
  std::vector<Run> runs;           // in launch order
};

struct BuildReport {
  Recipe recipe;
  Digest name;
  std::uint64_t files = 0, directories = 0, symlinks = 0;
  std::uint64_t content_bytes = 0, padding_bytes = 0, metadata_bytes = 0;
  std::vector<std::string> missing;  // selected files the tree does not have: the caller decides
};

// Writes `output` atomically (temporary name, then rename). Throws InputError (tree unreadable:
// which path; bad options) or RunError (disk full, file changed while being packed); leaves nothing
// behind.
BuildReport build(const std::filesystem::path& tree, const Selection& selection,
                  const BuildOptions& options, const std::filesystem::path& output);

}  // namespace missive::zar
