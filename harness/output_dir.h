#pragma once
// The folder results are written to. Files appear whole or not at all: each is written under a
// temporary name and renamed, so that a reader, or an interrupted run, never sees half of one.

#include <filesystem>
#include <string>

namespace missive::harness {

class OutputDir {
 public:
  // Makes the folder and proves that it can be written to, before anything long begins. Throws
  // InputError: not a folder, read-only, no permission, disk full.
  explicit OutputDir(std::filesystem::path path);

  const std::filesystem::path& path() const { return path_; }
  // Throws RunError; leaves the old file as it was and no temporary one.
  void write(const std::string& name, const std::string& text) const;

 private:
  std::filesystem::path path_;
};

// The same for one file anywhere; makes its folder.
void write_atomically(const std::filesystem::path& file, const std::string& text);

}  // namespace missive::harness
