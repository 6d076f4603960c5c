#pragma once
// Unpacking an image into a directory: what the native twin runs from, and one way to deliver an
// application's files into a picoprocess. Content goes from the mapping to write(2) directly.

#include <cstdint>
#include <filesystem>

#include "real/zar/image.h"

namespace missive::zar {

struct ExtractOptions {
  // Finishes an extraction that was interrupted: files that are there with the right size, mode and
  // time are taken as done (the time is set last), other files and links in the way are replaced.
  bool resume = false;
  // Of partial files: write what there is, the rest becomes a hole. Else such a file is an error.
  bool partial = false;
};

struct Extracted {
  std::uint64_t files = 0, directories = 0, symlinks = 0;
  std::uint64_t bytes = 0;  // content of files, as far as it is stored; hard links counted each
  std::uint64_t kept = 0;   // files that were there already (resume)
};

// Recreates files, directories, symbolic and hard links, holes and attributes with their modes and
// times; `directory` itself gets those of the image's root.
// Never writes outside the directory: every path is opened beneath it part by part, links not
// followed, so that a symbolic link planted there is an error and not a way out. Directories may
// exist already, files and links may not (unless it resumes). Throws RunError naming the path; what
// was written so far stays for the owner of the directory to remove.
Extracted extract(const Image& image, const std::filesystem::path& directory,
                  const ExtractOptions& options = {});
Extracted extract(const Image& image, int directory_fd, const ExtractOptions& options = {});

}  // namespace missive::zar
