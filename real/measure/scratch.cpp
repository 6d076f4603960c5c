#include "real/measure/scratch.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

#include <unistd.h>

#include "real/fd.h"

namespace missive::measure {

namespace fs = std::filesystem;

namespace {

// Another process may be clearing the same directory: each then finds things gone, and tries again.
void clear_away(const fs::path& directory) {
  std::error_code ignored;
  for (int tries = 0; tries < 10 && fs::exists(directory, ignored); ++tries)
    fs::remove_all(directory, ignored);
}

bool alive(pid_t pid) { return ::kill(pid, 0) == 0 || errno == EPERM; }

}  // namespace

fs::path scratch_parent() {
  const char* given = std::getenv("TMPDIR");
  return fs::path(given && *given ? given : "/var/tmp") /
         ("missive-sim-" + std::to_string(::getuid()));
}

ScratchDirectory::ScratchDirectory(const fs::path& parent) : owner_(::getpid()) {
  fs::create_directories(parent);
  for (const auto& entry : fs::directory_iterator(parent)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("run-")) continue;
    const pid_t pid = std::atoi(name.c_str() + 4);
    if (pid > 0 && !alive(pid)) clear_away(entry.path());
  }
  std::string pattern = (parent / ("run-" + std::to_string(owner_) + "-XXXXXX")).string();
  if (!::mkdtemp(pattern.data()))
    throw_errno("cannot make a working directory in " + parent.string());
  path_ = pattern;
  // The cache runs under another uid and must be able to pass through.
  fs::permissions(path_, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec);
}

ScratchDirectory::~ScratchDirectory() {
  if (::getpid() != owner_) return;  // a forked child must not remove what its parent uses
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

}  // namespace missive::measure
