#pragma once
// An EROFS file system whose files are the pages of a zarfile. EROFS (Linux, filesystems/erofs.rst)
// can keep content on another device than names and attributes: here the zarfile itself, as it is,
// is the second device, and this writes the first one, from the image's index. So the kernel mounts
// an image without one byte of a page-aligned file being copied or unpacked; and its parser of file
// systems reads only what the launcher has written, never what came from a cache.
//
// Copied are the contents that do not fill pages of their own: files below a page (into their
// inodes), link targets, and the last page of a file that other files share. Extended attributes
// are not there, as by fuse; a hard link is the same inode.

#include <cstdint>

#include "real/fd.h"
#include "real/launch/image_tree.h"

namespace missive::launch {

struct ErofsView {
  UniqueFd file;             // a sealed memory file: the first device
  std::uint64_t length = 0;  // of it
  std::uint64_t copied = 0;  // bytes of files in it
};

// Throws RunError for an image with partial files, which can only be asked for page by page.
ErofsView make_erofs_view(const ImageTree& tree);

}  // namespace missive::launch
