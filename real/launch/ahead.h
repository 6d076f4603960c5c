#pragma once
// What to put into the kernel's caches before an application starts, so that its start asks a file
// server almost nothing: computed from the image alone.

#include <cstdint>
#include <optional>
#include <vector>

#include "real/launch/image_tree.h"
#include "real/launch/launch_runs.h"

namespace missive::launch {

struct LinkAhead {
  std::uint32_t link = 0, end = 0;  // entries: the symbolic link, and where it leads
};

// By which names the start comes to its files.
struct Ways {
  // Directories on the way to a file with launch runs, or to a symbolic link that leads to one;
  // parents before children.
  std::vector<std::uint32_t> directories;
  // Symbolic links in these directories that lead to such a file or to one of the directories.
  std::vector<LinkAhead> links;
};

Ways plan_ways(const ImageTree& tree);

struct Ahead {
  Ways ways;
  // The launch runs, in the order in which their files' directories come in `ways`.
  std::vector<CoalescedRun> runs;
  // runs[i]'s directory is ways.directories[j] with j < listed_before[i].
  std::vector<std::uint32_t> listed_before;
};

Ahead plan_ahead(const ImageTree& tree);

// Entries that listing Ways::directories names, without "." and "..".
std::uint64_t entries_listed(const ImageTree& tree, const Ways& ways);

// The file or directory at which a symbolic link ends, within the image; nothing when it leads
// nowhere in it, or through more than 40 links (path_resolution(7)).
std::optional<std::uint32_t> resolve_link(const ImageTree& tree, std::uint32_t link);

}  // namespace missive::launch
