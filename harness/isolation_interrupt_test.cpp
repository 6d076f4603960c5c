// Experiments on isolation as a user stops them: SIGINT while domains are made by the hundred, two
// density runs at once. It ends with 130 and leaves no process, mount, control group, working
// directory, file of a container tool's, or changed sysctl.

#include "harness/interrupt_testing.h"

namespace missive::harness {
namespace {

namespace fs = std::filesystem;

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

// None soon: those of another test that runs beside this one go a moment after their process.
bool groups_of_the_dead_go() {
  for (int i = 0; i < 300; ++i, std::this_thread::sleep_for(milliseconds(10)))
    if (groups_of_the_dead().empty()) return true;
  return false;
}

// What container tools leave in /tmp that were killed while they start.
std::set<std::string> files_of_container_tools() {
  std::set<std::string> all;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/tmp", ignored))
    if (entry.path().filename().string().starts_with("crun.")) all.insert(entry.path());
  return all;
}

std::vector<std::string> sysctls() {
  return {text_of("/proc/sys/vm/max_map_count"), text_of("/proc/sys/kernel/pid_max"),
          text_of("/proc/sys/kernel/threads-max"), text_of("/proc/sys/vm/overcommit_memory")};
}

std::vector<std::string> words(const std::string& experiment,
                               const std::vector<std::string>& settings) {
  std::vector<std::string> all{experiment, "--backend", "real"};
  for (const std::string& s : settings) all.insert(all.end(), {"--set", s});
  return all;
}

class IsolationStop : public StoppedProgram {
 protected:
  void SetUp() override {
    StoppedProgram::SetUp();
    use_own_home();
  }

  void stop_at_many_moments(const std::string& experiment, const std::vector<std::string>& settings,
                            const std::vector<int>& moments) {
    const auto sysctls_before = sysctls();
    const auto files_before = files_of_container_tools();
    for (const int after : moments) {
      interrupt(words(experiment, settings), milliseconds(after));
      EXPECT_TRUE(groups_of_the_dead_go())
          << after << " ms: " << testing::PrintToString(groups_of_the_dead());
      EXPECT_EQ(sysctls(), sysctls_before) << after << " ms";
    }
    EXPECT_THAT(files_of_container_tools(), testing::IsSubsetOf(files_before));
  }
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
  stop_at_many_moments(kCreation, {kKinds}, {40, 150, 300, 400, 1100});
}

TEST_F(IsolationStop, ADensityRunLeavesNothing) {
  stop_at_many_moments(kDensity, {kMany, "/domains=3000"}, {300, 900, 2000});
}

TEST_F(IsolationStop, OfTwoDensityRunsTheSecondSaysWhoMeasures) {
  second_says_who_measures(words(kDensity, {R"(/mechanisms=["process-pipe"])", "/domains=4000"}),
                           root_ / "home/measure.lock");
}

}  // namespace
}  // namespace missive::harness
