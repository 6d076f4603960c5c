#pragma once
// Working directories that leave nothing behind.

#include <filesystem>

namespace missive::measure {

// $TMPDIR or /var/tmp, in a folder of this user's. Not below the user's home: an untrusted cache
// runs under another uid and has to reach its store.
std::filesystem::path scratch_parent();

// A directory that goes when the object does.
class ScratchDirectory {
 public:
  // Below `parent`; removes what a killed run of this program left there (names carry the pid).
  explicit ScratchDirectory(const std::filesystem::path& parent);
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int owner_;
};

}  // namespace missive::measure
