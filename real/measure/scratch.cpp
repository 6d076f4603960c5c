#include "real/measure/scratch.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <string>
#include <thread>

#include <unistd.h>

#include "real/fd.h"

namespace missive::measure {

namespace fs = std::filesystem;

namespace {

// Another process may be clearing the same directory, or a dying one still write into it: each then
// finds things gone, or there again, and tries once more.
void clear_away(const fs::path& directory, std::chrono::milliseconds between_tries) {
  std::error_code ignored;
  for (int tries = 0; tries < 10; ++tries) {
    fs::remove_all(directory, ignored);
    if (!fs::exists(directory, ignored)) return;
    std::this_thread::sleep_for(between_tries);
  }
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
    if (pid > 0 && !alive(pid)) clear_away(entry.path(), std::chrono::milliseconds(0));
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
  clear_away(path_, std::chrono::milliseconds(50));
}

}  // namespace missive::measure
