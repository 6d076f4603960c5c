#pragma once
// Building a zarfile from a directory tree. Deterministic: the same tree, selection and options
// give the same bytes on any host (no clock, no inode number, no directory order, no number of
// threads gets in). Times of files and directories are part of the tree, and so are which names are
// hard links to one file (its content is stored once), where a file has holes (they are not stored)
// and "user." attributes.
//
// Not packed: devices, fifos, sockets; what lies in /proc, /sys and /dev; owners (all is root's);
// set-user-ID and set-group-ID bits; attributes of other namespaces. Added where the tree lacks
// them, empty and with time 0: /dev, /home, /proc, /run, /sys, /tmp and /var/tmp.
//
// Memory: some 200 bytes a file with its path, 32 a unit, and 1 MiB a thread; never the image.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "real/zar/recipe.h"
#include "real/zar/units.h"

namespace missive::zar {

struct BuildOptions {
  std::uint32_t block_size = 64 * 1024;  // Missive's default (research prototype: lg 16)
  std::uint32_t degree = 128;            // 128 SHA-256 digests fill one 4 KiB node
  std::string packing = "path";          // packing.h
  std::string placement = "in-order";    // placement.h
  std::string units = "blocks";          // units.h
  Chunking chunking;                     // of units "cdc"
  std::string tree = "plain";            // or "fs-verity"
  // Not 0: placement "stable" hashes so many to the digests. Readers see no difference; holders of
  // images with another salt find less at its place. For studies.
  std::uint64_t hash_salt = 0;
  bool holes = true;     // false: holes of sparse files are stored as zeros
  unsigned threads = 0;  // 0: one for each CPU this process may use
  // Told now and then, from one thread at a time: bytes of the image done, and of all. May throw to
  // stop the build.
  std::function<void(std::uint64_t, std::uint64_t)> progress = nullptr;
};
// Throws InputError: an unknown name, or values out of range or contradicting each other.
void check(const BuildOptions& options);

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
  // Of selected files only the pages in `runs`, the rest is left out (Missive's incremental start):
  // such files are partial. One without a run keeps its record alone (Missive's "stat record").
  bool touched_only = false;
  // Names that the start looked up in vain, absolute and normalised (Missive's tombstones). Those
  // that exist in the tree or whose parent does not are dropped.
  std::vector<std::string> absent;
};

struct BuildReport {
  Recipe recipe;
  Digest name;
  std::uint64_t files = 0, directories = 0, symlinks = 0;
  std::uint64_t content_bytes = 0;   // as stored: hard links counted once, holes not at all
  std::uint64_t metadata_bytes = 0;  // header and all sections in front of the content
  std::uint64_t padding_bytes = 0;   // the rest of the image's length
  std::uint64_t left_out = 0;        // devices, fifos, sockets
  std::uint64_t scrap_items = 0, scrap_bytes = 0;  // of placement "stable"
  // Selected paths that lead to no regular file of the tree, as given: the caller decides.
  std::vector<std::string> missing;
  // Where the time went, in seconds: reading the tree, deciding, writing.
  double scan_s = 0, plan_s = 0, write_s = 0;
};

// Writes `output` atomically: an older image stays until the new one is complete, and nothing else
// is left behind, whatever happens (output_file.h). Throws InputError (tree unreadable: which path;
// bad options or selection) or RunError (disk full, file changed while being packed).
BuildReport build(const std::filesystem::path& tree, const Selection& selection,
                  const BuildOptions& options, const std::filesystem::path& output);

}  // namespace missive::zar
