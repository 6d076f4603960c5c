// zar mount from outside: the image is there while the verb runs, and gone when it is told to end.

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness/cli.h"
#include "harness/test_support.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;

int zar(const std::vector<std::string>& words) {
  std::vector<const char*> argv{"missive-sim", "zar"};
  for (const std::string& word : words) argv.push_back(word.c_str());
  std::ostringstream out, err;
  return cli_main(static_cast<int>(argv.size()), argv.data(), out, err);
}

bool soon(const std::function<bool()>& condition) {
  for (int i = 0; i < 400; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
  }
  return false;
}

// 0: all as it should be; 77: not possible here. Runs in a mount namespace of its own.
int mount_and_end(const std::string& image, const std::string& directory, int signal) {
  if (::access("/dev/fuse", R_OK | W_OK) != 0 || ::unshare(CLONE_NEWNS) != 0 ||
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0)
    return 77;
  const pid_t server = ::fork();
  if (server == 0) ::_exit(zar({"mount", image, directory}));
  const fs::path file = fs::path(directory) / "usr/hello";
  int result = 0;
  if (!soon([&] { return fs::exists(file); })) {
    result = 1;
  } else {
    std::string text;
    std::getline(std::ifstream(file), text);
    if (text != "hello") result = 2;
    if (std::ofstream(file).good()) result = 3;  // read-only
  }
  ::kill(server, signal);
  int status = -1;
  if (!soon([&] { return ::waitpid(server, &status, WNOHANG) == server; })) {
    ::kill(server, SIGKILL);
    return 4;
  }
  if (!WIFEXITED(status)) return 5;
  if (WEXITSTATUS(status) == 4 && result == 1) return 77;  // not available here
  if (WEXITSTATUS(status) != 0) return 6;
  return result != 0 ? result : fs::is_empty(directory) ? 0 : 7;
}

TEST(ZarMount, ServesTheImageUntilItIsInterrupted) {
  const TemporaryFolder folder;
  const std::string tree = (folder.path() / "tree").string();
  fs::create_directories(tree + "/usr");
  std::ofstream(tree + "/usr/hello") << "hello\n";
  const std::string image = (folder.path() / "a.zar").string();
  const std::string directory = (folder.path() / "at").string();
  fs::create_directory(directory);
  ASSERT_EQ(zar({"build", tree, image}), 0);
  for (const int signal : {SIGINT, SIGTERM}) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(mount_and_end(image, directory, signal));
    int status = -1;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no FUSE mounts here";
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
}

}  // namespace
}  // namespace missive::harness
