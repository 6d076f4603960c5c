#pragma once
// Building a zarfile from a directory tree. Deterministic: the same tree, selection and options
// give the same bytes on any host (no clock, no inode number, no directory order gets in). Times of
// files and directories are part of the tree, and so is which names are hard links to one file:
// their content is stored once.
//
// Not packed: devices, fifos, sockets; what lies in /proc, /sys and /dev; owners (all is root's);
// set-user-ID and set-group-ID bits. Added where the tree lacks them, empty and with time 0: /dev,
// /home, /proc, /run, /sys, /tmp and /var/tmp.
//
// Memory: the tree's paths and one buffer, never the image.

#include <cstdint>
#include <filesystem>
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
// and symbolic links of the tree always go in: a path look-up must find the way. Paths may lead
// through symbolic links, which are followed within the tree ("/lib/x" selects "/usr/lib/x").
struct Selection {
  struct Run {
    std::string path;
    std::uint32_t first_page = 0, pages = 0;
  };
  std::vector<std::string> files;  // absolute paths within the tree
  // In launch order. What of a run lies behind the file's end, and runs of files the tree does not
  // have, are dropped: the trace may be of another version. A run of a file that is there but not
  // selected is an InputError.
  std::vector<Run> runs;
};

struct BuildReport {
  Recipe recipe;
  Digest name;
  std::uint64_t files = 0, directories = 0, symlinks = 0;
  std::uint64_t content_bytes = 0;   // as stored: hard links counted once
  std::uint64_t metadata_bytes = 0;  // header, index, strings, runs
  std::uint64_t padding_bytes = 0;   // the rest of the image's length
  // Selected paths that lead to no regular file of the tree, as given: the caller decides.
  std::vector<std::string> missing;
};

// Writes `output` atomically: an older image stays until the new one is complete, and nothing else
// is left behind, whatever happens (output_file.h). Throws InputError (tree unreadable: which path;
// bad options or selection) or RunError (disk full, file changed while being packed).
BuildReport build(const std::filesystem::path& tree, const Selection& selection,
                  const BuildOptions& options, const std::filesystem::path& output);

}  // namespace missive::zar
