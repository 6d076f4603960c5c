// Directories made once, see made_once.h.

#include "real/made_once.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"
#include "real/process.h"

namespace missive {

namespace fs = std::filesystem;

namespace {

using Progress = std::function<void(const std::string&)>;

constexpr int kMissing = 3, kOffline = 4;  // exit status of the scripts

// Removes a directory when it goes, unless told to keep it.
class Temporary {
 public:
  explicit Temporary(fs::path path) : path_(std::move(path)) {}
  ~Temporary() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  const fs::path& path() const { return path_; }
  void rename_to(const fs::path& target) {
    fs::rename(path_, target);
    path_.clear();
  }

 private:
  fs::path path_;
};

// The lock is the file's, so it goes with the process however that ends: flock(2).
UniqueFd lock(const fs::path& file, const std::string& what, const Progress& progress) {
  UniqueFd fd(::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) throw_errno("cannot open " + file.string());
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  if (progress) progress(what + ": waiting for another process that builds it");
  while (::flock(fd.get(), LOCK_EX) != 0) {
    if (errno != EINTR) throw_errno("cannot lock " + file.string());
  }
  return fd;
}

struct Ended {
  int status = 0;     // as waitpid(2)
  std::string error;  // last line on its stderr
};

Ended run(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("cannot run " + command[0] + ": pipe");
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  std::vector<char*> arguments;
  for (const std::string& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, writing.get(), 2);
  pid_t pid = -1;
  const int error = ::posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw RunError("cannot run " + command[0] + ": " + std::strerror(error));
  writing.reset();

  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t n = ::read(reading.get(), part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    text.append(part.data(), static_cast<std::size_t>(n));
    if (text.size() > 65536) text.erase(0, text.size() - 4096);  // only the end is of interest
  }
  Ended ended;
  while (::waitpid(pid, &ended.status, 0) < 0 && errno == EINTR) {
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  ended.error = text.substr(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1);
  return ended;
}

}  // namespace

fs::path made_once(const MadeOnce& wanted, const Progress& progress) {
  if (fs::is_directory(wanted.directory)) return wanted.directory;

  const fs::path parent = wanted.directory.parent_path();
  const std::string name = wanted.directory.filename().string();
  std::error_code error;
  fs::create_directories(parent, error);
  if (error) throw RunError("cannot create " + parent.string() + ": " + error.message());
  // A Debian root holds set-user-id programs; nobody else has business in there.
  ::chmod(parent.c_str(), 0700);
  const UniqueFd held = lock(parent / ("." + name + ".lock"), wanted.what, progress);
  if (fs::is_directory(wanted.directory)) return wanted.directory;  // made while we waited

  // What an earlier, interrupted run left behind has the same name and is removed first.
  Temporary building(parent / ("." + name + ".building"));
  fs::remove_all(building.path(), error);
  if (progress) progress(wanted.what + ": " + wanted.how);
  std::vector<std::string> command = wanted.command;
  command.push_back(building.path().string());
  command.insert(command.end(), wanted.rest.begin(), wanted.rest.end());
  const Ended ended = run(command);
  if (WIFSIGNALED(ended.status)) {
    check_interrupt();
    throw RunError(wanted.what + ": building it was interrupted; run again");
  }
  const int status = WEXITSTATUS(ended.status);
  const std::string why =
      ended.error.empty() ? "exit status " + std::to_string(status) : ended.error;
  if (status == kMissing) throw NotAvailable(wanted.what + ": " + why);
  if (status == kOffline) {
    throw NotAvailable(wanted.what + ": " + why +
                       "; it is needed once, then everything works offline");
  }
  if (status != 0) throw RunError(wanted.what + ": " + why);
  building.rename_to(wanted.directory);
  return wanted.directory;
}

}  // namespace missive
