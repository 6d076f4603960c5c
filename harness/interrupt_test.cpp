// The program as a user stops it: SIGINT at many moments of a run with real launches, two runs at
// once. It must answer soon, with status 130, keep what it has, and leave no process, mount or
// working directory behind.

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/application.h"
#include "real/launch/picoprocess.h"
#include "real/measure/scratch.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

fs::path program() { return fs::read_symlink("/proc/self/exe").parent_path() / "missive-sim"; }

std::set<std::string> mounts() {
  std::set<std::string> all;
  std::ifstream in("/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) all.insert(line);
  return all;
}

std::set<std::string> working_directories() {
  std::set<std::string> all;
  std::error_code ignored;
  for (const auto& e : fs::directory_iterator(measure::scratch_parent(), ignored))
    all.insert(e.path());
  return all;
}

class StopTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = launch::picoprocess_unavailable(); !why.empty()) GTEST_SKIP() << why;
    try {
      launch::ensure_root(launch::application("python3"));
    } catch (const Error& e) {
      GTEST_SKIP() << e.what();
    }
    // Orphans of the program become our children: they can be counted.
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    // A scratch folder of the test's own: other runs on this host come and go in the common one.
    // Open to all, because the cache runs under another uid.
    scratch_ = fs::path("/var/tmp") / ("missive-stop-test-" + std::to_string(::getpid()));
    fs::create_directories(scratch_);
    fs::permissions(scratch_, fs::perms(0755));
    ::setenv("TMPDIR", scratch_.c_str(), 1);
    out_ = scratch_ / "out";
  }
  void TearDown() override {
    std::error_code ignored;
    if (!scratch_.empty()) fs::remove_all(scratch_, ignored);
  }

  pid_t start(const std::string& folder, const std::string& log) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      const int fd = ::open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
      ::dup2(fd, 1);
      ::dup2(fd, 2);
      const std::string path = program(), to = out_ / folder;
      ::execl(path.c_str(), path.c_str(), "experiments/launch-quick.json", "--repetitions", "20",
              "--out", to.c_str(), nullptr);
      ::_exit(127);
    }
    return pid;
  }

  // Exit status, or -1 when it did not end in time (it is killed then).
  static int wait_for(pid_t pid, milliseconds patience) {
    int status = 0;
    for (const auto end = Clock::now() + patience; Clock::now() < end;
         std::this_thread::sleep_for(milliseconds(5)))
      if (::waitpid(pid, &status, WNOHANG) == pid)
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ::kill(pid, SIGKILL);
    ::waitpid(pid, &status, 0);
    return -1;
  }

  // Whatever the program's processes left to us is a leak, once they had a moment to end.
  static int orphans() {
    std::this_thread::sleep_for(milliseconds(300));
    int alive = 0;
    for (;;) {
      const pid_t pid = ::waitpid(-1, nullptr, WNOHANG);
      if (pid < 0) return alive;
      if (pid > 0) continue;
      ++alive;
      return alive;
    }
  }

  fs::path scratch_, out_;
};

TEST_F(StopTest, an_interrupt_at_any_moment_ends_with_130_and_leaves_nothing) {
  const auto mounts_before = mounts();
  const auto work_before = working_directories();
  // From the first instructions to well into the measured rounds.
  for (const int after : {30, 300, 900, 2000, 3500}) {
    fs::create_directories(out_);
    const std::string log = out_ / "log";
    const pid_t pid = start("result", log);
    std::this_thread::sleep_for(milliseconds(after));
    ::kill(pid, SIGINT);
    const int status = wait_for(pid, milliseconds(15'000));
    std::ifstream in(log);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    EXPECT_EQ(status, 130) << "after " << after << " ms: " << text;
    EXPECT_EQ(orphans(), 0) << "after " << after << " ms";
    EXPECT_EQ(mounts(), mounts_before) << "after " << after << " ms";
    EXPECT_EQ(working_directories(), work_before) << "after " << after << " ms";
  }
}

TEST_F(StopTest, a_killed_run_leaves_no_process_and_the_next_one_clears_its_directory) {
  fs::create_directories(out_);
  const auto mounts_before = mounts();
  const pid_t pid = start("result", out_ / "log");
  std::this_thread::sleep_for(milliseconds(1500));
  ::kill(pid, SIGKILL);
  wait_for(pid, milliseconds(5000));
  EXPECT_EQ(orphans(), 0);
  EXPECT_EQ(mounts(), mounts_before);
  const std::string left = "run-" + std::to_string(pid) + "-";
  { const measure::ScratchDirectory next(measure::scratch_parent()); }
  for (const auto& directory : working_directories())
    EXPECT_EQ(directory.find(left), std::string::npos) << directory;
}

TEST_F(StopTest, of_two_runs_at_once_the_second_says_who_measures) {
  fs::create_directories(out_);
  const pid_t first = start("first", out_ / "first.log");
  std::this_thread::sleep_for(milliseconds(700));
  const pid_t second = start("second", out_ / "second.log");
  EXPECT_EQ(wait_for(second, milliseconds(15'000)), 1);
  std::ifstream in(out_ / "second.log");
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_NE(text.find("another measurement is running on this host (process " +
                      std::to_string(first) + ")"),
            std::string::npos)
      << text;
  ::kill(first, SIGINT);
  EXPECT_EQ(wait_for(first, milliseconds(15'000)), 130);
}

}  // namespace
}  // namespace missive::harness
