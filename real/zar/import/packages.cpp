#include "real/zar/import/packages.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"

namespace missive::zar {

namespace {

constexpr int kUsage = 2, kMissing = 3, kOffline = 4;  // exit status of the script

// A pipe's text, both ends' descriptors closed when it goes.
struct Pipe {
  UniqueFd reading, writing;
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("pipe");
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
};

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t n = ::read(fd, part.data(), part.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return text;
    text.append(part.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace

std::vector<std::filesystem::path> fetch_packages(const std::filesystem::path& script,
                                                  const std::filesystem::path& directory,
                                                  const std::vector<std::string>& packages) {
  std::vector<std::string> words = {script.string(), directory.string()};
  words.insert(words.end(), packages.begin(), packages.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  Pipe out, error;
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.writing.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, error.writing.get(), 2);
  pid_t pid = -1;
  const int failed =
      ::posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw RunError(script.string() + ": " + std::strerror(failed));
  out.writing.reset();
  error.writing.reset();
  const std::string listed = read_all(out.reading.get());
  const std::string why = read_all(error.reading.get());  // one line: fits the pipe meanwhile
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  const std::string what = "packages: " + why.substr(0, why.find('\n'));
  if (!WIFEXITED(status)) throw RunError("packages: fetching them was interrupted; run again");
  if (WEXITSTATUS(status) == kUsage) throw InputError(what);
  if (WEXITSTATUS(status) == kMissing || WEXITSTATUS(status) == kOffline) throw NotAvailable(what);
  if (WEXITSTATUS(status) != 0) throw RunError(what);
  std::vector<std::filesystem::path> debs;
  std::istringstream lines(listed);
  for (std::string line; std::getline(lines, line);) debs.emplace_back(line);
  return debs;
}

}  // namespace missive::zar
