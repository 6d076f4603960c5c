#pragma once
// For tests of the program as a user stops it: it runs as a child of the test, and what it leaves
// behind is looked for on the host.

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace missive::harness {

using std::chrono::milliseconds;

inline std::string text_of(const std::filesystem::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline std::set<std::string> mounts() {
  std::set<std::string> all;
  std::ifstream in("/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) all.insert(line);
  return all;
}

// A scratch folder of its own, and a home after use_own_home(): other runs on this host are not
// disturbed, nor seen.
class StoppedProgram : public testing::Test {
 protected:
  void SetUp() override {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // orphans of the program become our children
    root_ = std::filesystem::path("/var/tmp") / ("missive-stop-test-" + std::to_string(::getpid()));
    for (const char* folder : {"scratch", "out"})
      std::filesystem::create_directories(root_ / folder);
    // Open to all, because some of its children run under another uid.
    std::filesystem::permissions(root_, std::filesystem::perms(0755));
    std::filesystem::permissions(root_ / "scratch", std::filesystem::perms(0755));
    ::setenv("TMPDIR", (root_ / "scratch").c_str(), 1);
  }
  void TearDown() override {
    std::error_code ignored;
    if (!root_.empty()) std::filesystem::remove_all(root_, ignored);
    ::unsetenv("TMPDIR");
    ::unsetenv("MISSIVE_HOME");
  }
  void use_own_home() const { ::setenv("MISSIVE_HOME", (root_ / "home").c_str(), 1); }

  // missive-sim, which stands beside its tests, with these words; what it says goes to log(name).
  pid_t start(const std::string& name, std::vector<std::string> words) const {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    const int to = ::open(log(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(to, 1);
    ::dup2(to, 2);
    const std::string path =
        std::filesystem::read_symlink("/proc/self/exe").parent_path() / "missive-sim";
    words.insert(words.begin(), path);
    words.insert(words.end(), {"--out", (root_ / "out" / name).string()});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(path.c_str(), arguments.data());
    ::_exit(127);
  }
  std::filesystem::path log(const std::string& name) const { return root_ / (name + ".log"); }

  // Exit status, or 128 and the signal; -1 when it did not end in time, and is killed.
  static int wait_for(pid_t pid, milliseconds patience) {
    using Clock = std::chrono::steady_clock;
    int status = 0;
    for (const auto end = Clock::now() + patience; Clock::now() < end;
         std::this_thread::sleep_for(milliseconds(5)))
      if (::waitpid(pid, &status, WNOHANG) == pid)
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    return -1;
  }

  // Whether all that the program's processes left to us have ended; a moment is theirs.
  static bool orphans_end_within(milliseconds patience) {
    using Clock = std::chrono::steady_clock;
    for (const auto end = Clock::now() + patience; Clock::now() < end;
         std::this_thread::sleep_for(milliseconds(10))) {
      pid_t pid;
      while ((pid = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
      }
      if (pid < 0) return true;  // no child at all
    }
    return false;
  }

  // Working directories of runs in the scratch folder.
  std::set<std::string> left_in_scratch() const {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_ / "scratch"))
      if (entry.path().filename().string().starts_with("scratch-")) all.insert(entry.path());
    return all;
  }

  // SIGINT after `after`: it ends with 130, keeps or says what it has, and leaves nothing.
  void interrupt(const std::vector<std::string>& words, milliseconds after) const {
    const auto mounts_before = mounts();
    const pid_t pid = start("result", words);
    std::this_thread::sleep_for(after);
    ::kill(pid, SIGINT);
    EXPECT_EQ(wait_for(pid, milliseconds(20'000)), 130)
        << after.count() << " ms: " << text_of(log("result"));
    EXPECT_TRUE(orphans_end_within(milliseconds(2'000))) << after.count() << " ms";
    EXPECT_THAT(left_in_scratch(), testing::IsEmpty()) << after.count() << " ms";
    EXPECT_EQ(mounts(), mounts_before) << after.count() << " ms";
  }

  // Two runs at once: the second says who measures.
  void second_says_who_measures(const std::vector<std::string>& words,
                                const std::filesystem::path& lock) const {
    const pid_t first = start("first", words);
    const std::string mine = std::to_string(first);
    for (int i = 0; i < 2'000 && text_of(lock).find(mine) == std::string::npos; ++i)
      std::this_thread::sleep_for(milliseconds(5));
    const pid_t second = start("second", words);
    EXPECT_EQ(wait_for(second, milliseconds(15'000)), 1);
    EXPECT_THAT(
        text_of(log("second")),
        testing::HasSubstr("another measurement is running on this host (process " + mine + ")"));
    ::kill(first, SIGINT);
    EXPECT_EQ(wait_for(first, milliseconds(20'000)), 130);
    EXPECT_TRUE(orphans_end_within(milliseconds(2'000)));
  }

  std::filesystem::path root_;
};

}  // namespace missive::harness
