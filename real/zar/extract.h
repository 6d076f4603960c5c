#pragma once
// Unpacking an image into a directory: what the native twin runs from, and one way to deliver an
// application's files into a picoprocess. Content goes from the mapping to write(2) directly.

#include <cstdint>
#include <filesystem>

#include "real/zar/image.h"

namespace missive::zar {

struct Extracted {
  std::uint64_t files = 0, directories = 0, symlinks = 0;
  std::uint64_t bytes = 0;  // content of files
};

// Recreates files, directories and symbolic links with their modes and times; `directory` itself
// gets those of the image's root.
// Never writes outside the directory: every path part is opened by itself with O_NOFOLLOW, so that
// a symbolic link planted there is an error and not a way out. Directories may exist already, files
// and links may not. Throws RunError naming the path; what was written so far stays for the owner
// of the directory to remove.
Extracted extract(const Image& image, const std::filesystem::path& directory);
Extracted extract(const Image& image, int directory_fd);

}  // namespace missive::zar
