#pragma once
// What an image can be made of besides a directory: archives and single programs, unpacked into a
// directory from which zar::build() makes the image. One file for each kind, in import/, and one
// line in the registry.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "real/zar/import/tree_writer.h"

namespace missive::zar {

struct ImportResult {
  std::uint64_t entries = 0;   // of archives, written or replaced
  std::uint64_t left_out = 0;  // devices, fifos, sockets
};

struct ImportKind {
  const char* name;
  const char* what;
  // By content, never by name: the first kind that says yes is taken.
  bool (*accepts)(const std::filesystem::path& source);
  // `scratch` is an empty directory on the same file system, for what has to be unpacked twice.
  // Throws InputError: not what it should be, with the reason; RunError: disk full and so on.
  ImportResult (*unpack)(const std::filesystem::path& source, TreeWriter& tree,
                         const std::filesystem::path& scratch);
};
const std::vector<const ImportKind*>& import_kinds();

extern const ImportKind kImportOci, kImportDeb, kImportTar, kImportWasm, kImportExecutable;

// The kind of a source; `name` "" finds it out. Throws InputError.
const ImportKind& import_kind(const std::filesystem::path& source, const std::string& name);

// The first `count` bytes of a file, fewer when it is shorter, none when it cannot be read.
std::string first_bytes(const std::filesystem::path& file, std::size_t count);

// A directory beside `beside` that goes with all that is in it, whatever the modes in it say.
class ScratchTree {
 public:
  explicit ScratchTree(const std::filesystem::path& beside);
  ~ScratchTree();
  ScratchTree(const ScratchTree&) = delete;
  ScratchTree& operator=(const ScratchTree&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace missive::zar
