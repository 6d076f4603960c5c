#pragma once
// Working directories that leave nothing behind, also when their owner was killed.
//
// Each is a pair in a folder of this user's: the directory NAME, and beside it the file NAME.lock,
// which the owner keeps locked (flock(2)) for as long as it lives: the kernel gives the lock back
// at its end, however it ends. Whoever makes the next one removes those whose lock is free. A
// process id in the name would not do: ids are used again, and processes in containers with ids of
// their own may share the folder.
//
// A child made by fork(2) shares the lock until it ends or executes: what its parent left stays
// while the child may still use it.

#include <filesystem>
#include <string>

#include "real/fd.h"

namespace missive::measure {

// missive-sim-UID in $TMPDIR or /var/tmp. Not below the user's home: an untrusted cache runs under
// another uid and has to reach its store.
std::filesystem::path scratch_parent();

// A directory that goes when the object does.
class ScratchDirectory {
 public:
  // Below `parent`, which is made if it is missing. Throws RunError when the parent is not a
  // directory of this user's, and when nothing can be made in it.
  explicit ScratchDirectory(const std::filesystem::path& parent = scratch_parent());
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;
  ~ScratchDirectory();
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  UniqueFd lock_;
  int owner_;
};

}  // namespace missive::measure
