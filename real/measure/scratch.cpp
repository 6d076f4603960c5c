#include "real/measure/scratch.h"

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"

namespace missive::measure {

namespace fs = std::filesystem;

namespace {

constexpr const char* kPrefix = "scratch-";
constexpr const char* kLock = ".lock";

// Whether it is gone. A dying process may still write into it: its files are then there again, and
// it takes another try.
bool clear_away(const fs::path& directory, int tries, std::chrono::milliseconds between_tries) {
  std::error_code ignored;
  for (; tries > 0; --tries) {
    fs::remove_all(directory, ignored);
    if (!fs::exists(fs::symlink_status(directory, ignored))) return true;
    std::this_thread::sleep_for(between_tries);
  }
  return false;
}

// The folder must be one where nobody else can put or exchange names: what is removed in it is
// found by name.
void make_parent(const fs::path& parent) {
  fs::create_directories(parent.parent_path());
  if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST)
    throw_errno("cannot make the folder for working directories " + parent.string());
  const UniqueFd fd(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat s {};
  if (!fd || ::fstat(fd.get(), &s) != 0)
    throw_errno("cannot use the folder for working directories " + parent.string());
  if (s.st_uid != ::geteuid())
    throw RunError("the folder for working directories " + parent.string() +
                   " is another user's; set TMPDIR to a directory of yours");
  if ((s.st_mode & (S_IWGRP | S_IWOTH)) != 0 && ::fchmod(fd.get(), s.st_mode & 0755) != 0)
    throw_errno("cannot close to others the folder for working directories " + parent.string());
}

// Whether a lock file is ours now, and still has its name: two may have opened it, and the one who
// had it first has removed it. Throws where files cannot be locked.
bool take(int lock) {
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    throw_errno("cannot lock files in the folder for working directories; set TMPDIR to another");
  }
  struct stat s {};
  return ::fstat(lock, &s) == 0 && S_ISREG(s.st_mode) && s.st_nlink > 0 && s.st_uid == ::geteuid();
}

void sweep(const fs::path& parent) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(parent, ignored)) {
    const fs::path& file = entry.path();
    if (file.extension() != kLock || !file.filename().string().starts_with(kPrefix)) continue;
    // O_NONBLOCK: what is no regular file is not waited for.
    const UniqueFd lock(::open(file.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!lock || !take(lock.get())) continue;
    if (clear_away(fs::path(file).replace_extension(), 1, {})) ::unlink(file.c_str());
  }
}

}  // namespace

fs::path scratch_parent() {
  const char* given = std::getenv("TMPDIR");
  return fs::path(given && *given ? given : "/var/tmp") /
         ("missive-sim-" + std::to_string(::geteuid()));
}

ScratchDirectory::ScratchDirectory(const fs::path& parent) : owner_(::getpid()) {
  make_parent(parent);
  sweep(parent);
  const std::string cannot = "cannot make a working directory in " + parent.string();
  // The lock first: no directory is ever there whose owner seems to be dead. Another's sweep may
  // come between the two calls, and takes the file away.
  do {
    std::string pattern = (parent / kPrefix).string() + "XXXXXX" + kLock;
    lock_.reset(
        ::mkostemps(pattern.data(), static_cast<int>(std::string_view(kLock).size()), O_CLOEXEC));
    if (!lock_) throw_errno(cannot);
    path_ = fs::path(pattern).replace_extension();
  } while (!take(lock_.get()));
  // The cache runs under another uid and must be able to pass through.
  if (::mkdir(path_.c_str(), 0711) != 0 || ::chmod(path_.c_str(), 0711) != 0) throw_errno(cannot);
}

ScratchDirectory::~ScratchDirectory() {
  if (::getpid() != owner_) return;  // a forked child must not remove what its parent uses
  if (clear_away(path_, 10, std::chrono::milliseconds(50)))
    ::unlink((path_.string() + kLock).c_str());
}

}  // namespace missive::measure
