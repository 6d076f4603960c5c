// Experiments on isolation as a user stops them: SIGINT while domains are made by the hundred, two
// density runs at once. It ends with 130 and leaves no process, mount, control group, working
// directory or changed sysctl.

#include <chrono>
#include <csignal>
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
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
using testing::HasSubstr;
using testing::IsEmpty;

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::set<std::string> mounts() {
  std::set<std::string> all;
  std::ifstream in("/proc/self/mountinfo");
  for (std::string line; std::getline(in, line);) all.insert(line);
  return all;
}

// Control groups whose names say that this program made them in a process that is no more.
std::set<std::string> groups_of_the_dead() {
  std::set<std::string> all;
  std::error_code ignored;
  for (auto it = fs::recursive_directory_iterator(
           "/sys/fs/cgroup", fs::directory_options::skip_permission_denied, ignored);
       it != fs::recursive_directory_iterator(); it.increment(ignored)) {
    const std::string name = it->path().filename();
    if (!name.starts_with("missive-")) continue;
    const pid_t owner = std::atoi(name.c_str() + sizeof "missive-" - 1);
    if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) all.insert(it->path());
  }
  return all;
}

std::vector<std::string> sysctls() {
  return {text_of("/proc/sys/vm/max_map_count"), text_of("/proc/sys/kernel/pid_max"),
          text_of("/proc/sys/kernel/threads-max"), text_of("/proc/sys/vm/overcommit_memory")};
}

class IsolationStop : public testing::Test {
 protected:
  void SetUp() override {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);  // orphans of the program become our children
    root_ = fs::path("/var/tmp") / ("missive-isolation-stop-" + std::to_string(::getpid()));
    fs::create_directories(root_ / "scratch");
    // A home and a scratch folder of its own: other runs on this host are not disturbed, nor seen.
    ::setenv("MISSIVE_HOME", (root_ / "home").c_str(), 1);
    ::setenv("TMPDIR", (root_ / "scratch").c_str(), 1);
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
    ::unsetenv("MISSIVE_HOME");
    ::unsetenv("TMPDIR");
  }

  pid_t start(const std::string& experiment, const std::vector<std::string>& settings,
              const std::string& name) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    const int log = ::open((root_ / (name + ".log")).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    ::dup2(log, 1);
    ::dup2(log, 2);
    const std::string path = fs::read_symlink("/proc/self/exe").parent_path() / "missive-sim";
    std::vector<std::string> words{path,   experiment, "--backend",
                                   "real", "--out",    (root_ / name).string()};
    for (const std::string& s : settings) words.insert(words.end(), {"--set", s});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(path.c_str(), arguments.data());
    ::_exit(127);
  }

  // Exit status; -1 when it did not end in time, and is killed.
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

  static bool orphans_end_within(milliseconds patience) {
    for (const auto end = Clock::now() + patience; Clock::now() < end;
         std::this_thread::sleep_for(milliseconds(10))) {
      pid_t pid;
      while ((pid = ::waitpid(-1, nullptr, WNOHANG)) > 0) {
      }
      if (pid < 0) return true;  // no child at all
    }
    return false;
  }

  std::set<std::string> left_in_scratch() const {
    std::set<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(root_ / "scratch"))
      if (entry.path().filename().string().starts_with("run-")) all.insert(entry.path());
    return all;
  }

  void stop_at_many_moments(const std::string& experiment, const std::vector<std::string>& settings,
                            const std::vector<int>& moments) {
    const auto mounts_before = mounts();
    const auto sysctls_before = sysctls();
    for (const int after : moments) {
      const pid_t pid = start(experiment, settings, "result");
      std::this_thread::sleep_for(milliseconds(after));
      ::kill(pid, SIGINT);
      EXPECT_EQ(wait_for(pid, milliseconds(20'000)), 130)
          << after << " ms: " << text_of(root_ / "result.log");
      EXPECT_TRUE(orphans_end_within(milliseconds(2'000))) << after << " ms";
      EXPECT_THAT(left_in_scratch(), IsEmpty()) << after << " ms";
      EXPECT_THAT(groups_of_the_dead(), IsEmpty()) << after << " ms";
      EXPECT_EQ(mounts(), mounts_before) << after << " ms";
      EXPECT_EQ(sysctls(), sysctls_before) << after << " ms";
    }
  }

  fs::path root_;
};

// Those that load foreign code into the program, or jump out of it, are not for sanitizers.
#ifdef __SANITIZE_ADDRESS__
constexpr char kKinds[] = R"(/mechanisms=["process-futex", "picoprocess", "thread", "kvm"])";
constexpr char kMany[] = R"(/mechanisms=["container-crun", "picoprocess", "kvm"])";
#else
constexpr char kKinds[] =
    R"(/mechanisms=["process-futex", "picoprocess", "pie", "wasm-guard", "thread", "kvm"])";
constexpr char kMany[] = R"(/mechanisms=["container-crun", "picoprocess", "pie", "kvm"])";
#endif
constexpr char kCreation[] = "experiments/isolation-creation.json";
constexpr char kDensity[] = "experiments/isolation-density.json";

TEST_F(IsolationStop, ContainersBeingMadeLeaveNothing) {
  stop_at_many_moments(kCreation, {R"(/mechanisms=["container-crun", "container-bwrap"])"},
                       {250, 700, 1500});
}

TEST_F(IsolationStop, DomainsOfAllKindsBeingMadeLeaveNothing) {
  stop_at_many_moments(kCreation, {kKinds}, {40, 400, 1100});
}

TEST_F(IsolationStop, ADensityRunLeavesNothing) {
  stop_at_many_moments(kDensity, {kMany, "/domains=3000"}, {300, 900, 2000});
}

TEST_F(IsolationStop, OfTwoDensityRunsTheSecondSaysWhoMeasures) {
  const std::vector<std::string> settings{R"(/mechanisms=["process-pipe"])", "/domains=4000"};
  const pid_t first = start(kDensity, settings, "first");
  for (int i = 0; i < 400 && text_of(root_ / "home/measure.lock").empty(); ++i)
    std::this_thread::sleep_for(milliseconds(5));
  const pid_t second = start(kDensity, settings, "second");
  EXPECT_EQ(wait_for(second, milliseconds(10'000)), 1);
  EXPECT_THAT(text_of(root_ / "second.log"),
              HasSubstr("another measurement is running on this host (process " +
                        std::to_string(first) + ")"));
  ::kill(first, SIGINT);
  EXPECT_EQ(wait_for(first, milliseconds(20'000)), 130);
  EXPECT_TRUE(orphans_end_within(milliseconds(2'000)));
}

}  // namespace
}  // namespace missive::harness
