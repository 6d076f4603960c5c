// Picoprocesses and containers: what holds for each of them as processes of this host.

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real/domains/attack_victim.h"
#include "real/domains/attacks.h"
#include "real/domains/limits.h"
#include "real/domains/message.h"
#include "real/domains/shared_channel.h"
#include "real/fd.h"

namespace missive::domains {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string status_of(pid_t pid, const std::string& key) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(key + ":"))
      return line.substr(line.find_first_not_of(" \t", key.size() + 1));
  }
  return "no " + key;
}

// The process of the service: the one below this process that runs its program.
pid_t service_pid() {
  for (const pid_t pid : descendants(::getpid())) {
    // "memfd:service" when it was started without a path; older kernels have the descriptor.
    const std::string name = status_of(pid, "Name");
    if (name.ends_with("service") || name == "4") return pid;
  }
  return -1;
}

// Groups of other tests come and go: a walk that one of them cut short is begun again.
std::vector<std::string> groups_named(const std::string& prefix) {
  std::vector<std::string> found;
  for (const char* controller : {"pids", "memory"}) {
    std::error_code error;
    for (int attempt = 0; attempt == 0 || (error && attempt < 100); ++attempt) {
      std::vector<std::string> here;
      fs::recursive_directory_iterator each(std::string("/sys/fs/cgroup/") + controller,
                                            fs::directory_options::skip_permission_denied, error);
      if (error) break;  // no such hierarchy
      for (; !error && each != fs::end(each); each.increment(error))
        if (each->path().filename().string().starts_with(prefix)) here.push_back(each->path());
      if (!error) found.insert(found.end(), here.begin(), here.end());
    }
  }
  return found;
}

std::size_t groups_of_this_process() {
  return groups_named("missive-" + std::to_string(::getpid()) + "-").size();
}

class ConfinedService : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    mechanism_ = &mechanism(GetParam());
    if (const auto why = mechanism_->unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  void TearDown() override {
    EXPECT_THAT(descendants(::getpid()), IsEmpty()) << "processes left behind";
    EXPECT_EQ(groups_of_this_process(), 0U) << "control groups left behind";
  }
  const Mechanism* mechanism_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Here, ConfinedService,
                         testing::Values("picoprocess", "container-bwrap", "container-crun"),
                         [](const auto& each) {
                           std::string name = each.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST_P(ConfinedService, HasNoPrivilegeAndNoneOfTheHostsNamespaces) {
  const auto domain = mechanism_->create({});
  const pid_t pid = service_pid();
  ASSERT_GT(pid, 0);
  EXPECT_EQ(status_of(pid, "CapEff"), "0000000000000000");
  EXPECT_EQ(status_of(pid, "CapBnd") == "0000000000000000" || status_of(pid, "NoNewPrivs") == "1",
            true);
  for (const char* space : {"pid", "net", "ipc", "mnt", "uts"}) {
    const std::string link = std::string("/ns/") + space;
    EXPECT_NE(fs::read_symlink("/proc/self" + link),
              fs::read_symlink("/proc/" + std::to_string(pid) + link))
        << space;
  }
}

TEST_P(ConfinedService, SeesNoFileOfTheHost) {
  const auto domain = mechanism_->create({});
  const pid_t pid = service_pid();
  ASSERT_GT(pid, 0);
  for (const auto& each : fs::directory_iterator("/proc/" + std::to_string(pid) + "/root")) {
    EXPECT_THAT(each.path().filename().string(), testing::AnyOf("dev", "proc", "service"));
  }
}

TEST_P(ConfinedService, HoldsNoDescriptorOfTheHost) {
  const UniqueFd secret(::open("/dev/zero", O_RDONLY));  // not close-on-exec, on purpose
  const auto domain = mechanism_->create({});
  const pid_t pid = service_pid();
  ASSERT_GT(pid, 0);
  for (const auto& each : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd")) {
    EXPECT_THAT(fs::read_symlink(each).string(), testing::AnyOf("/dev/null", HasSubstr("memfd:")));
  }
}

TEST_P(ConfinedService, ACallPastItsDeadlineEndsTheDomainAndNothingElse) {
  DomainOptions options;
  const auto other = mechanism_->create(options);
  options.deadline = 50ms;
  const auto domain = mechanism_->create(options);
  std::array<std::byte, 8> reply{};
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THROW(domain->call(entry_of(Attack::endless_loop), {}, reply), DomainFault);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 50ms);
  EXPECT_THROW(domain->call(Entry::null, {}, {}), DomainFault) << "it is gone";
  EXPECT_EQ(other->call(Entry::sum, {}, reply), 8U);
}

TEST_P(ConfinedService, RunsOnTheCpuItIsToldTo) {
  DomainOptions options;
  options.peer_cpu = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)) - 1;
  const auto domain = mechanism_->create(options);
  EXPECT_EQ(status_of(service_pid(), "Cpus_allowed_list"), std::to_string(options.peer_cpu));
  options.peer_cpu = 100'000;
  EXPECT_THROW(mechanism_->create(options), InputError);
}

TEST_P(ConfinedService, NeedsFewDescriptorsOfTheHost) {
  const auto open_now = [] {
    return std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator());
  };
  const auto first = mechanism_->create({});  // what is made once for all
  const auto before = open_now();
  auto domain = mechanism_->create({});
  EXPECT_LE(open_now(), before + 1);
  domain.reset();
  EXPECT_EQ(open_now(), before);
}

TEST_P(ConfinedService, DomainsAreMadeByManyThreadsAtOnce) {
  std::array<std::string, 4> errors;
  std::vector<std::thread> threads;
  for (std::string& error : errors) {
    threads.emplace_back([this, &error] {
      try {
        for (int i = 0; i < 3; ++i) {
          const auto domain = mechanism_->create({});
          std::array<std::byte, 8> reply{};
          domain->call(Entry::sum, std::array<std::byte, 2>{std::byte{1}, std::byte{2}}, reply);
          if (reply[0] != std::byte{3}) error = "wrong sum";
        }
      } catch (const std::exception& e) {
        error = e.what();
      }
    });
  }
  for (std::thread& each : threads) each.join();
  EXPECT_THAT(errors, testing::Each(IsEmpty()));
}

TEST_P(ConfinedService, EndsWhenItsHostIsKilled) {
  ASSERT_EQ(::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd in(ends[0]), out(ends[1]);
  const pid_t host = ::fork();
  if (host == 0) {
    try {
      const auto domain = mechanism_->create({});
      if (::write(out.get(), "x", 1) == 1) ::pause();
    } catch (...) {
    }
    ::_exit(1);
  }
  char ready = 0;
  ASSERT_EQ(::read(in.get(), &ready, 1), 1);
  EXPECT_GE(descendants(host).size(), 1U);
  ::kill(host, SIGKILL);
  for (int i = 0; i < 500 && !descendants(::getpid()).empty(); ++i) {
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_THAT(descendants(::getpid()), IsEmpty());
  // Its control groups are removed by whoever makes some next.
  mechanism_->create({});
  for (const auto& each : groups_named("missive-" + std::to_string(host) + "-")) {
    ADD_FAILURE() << "left behind: " << each;
  }
  ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

TEST(Picoprocess, IsKilledForASystemCall) {
  const Mechanism& m = mechanism("picoprocess");
  if (const auto why = m.unavailable(); !why.empty()) GTEST_SKIP() << why;
  const auto domain = m.create({});
  EXPECT_EQ(status_of(service_pid(), "Seccomp"), "2");
  EXPECT_EQ(status_of(service_pid(), "NoNewPrivs"), "1");
  try {
    domain->call(entry_of(Attack::never_return), {}, {});
    FAIL() << "pause() is no call of a service";
  } catch (const DomainFault& e) {
    EXPECT_THAT(e.what(), HasSubstr("killed by Bad system call"));
  }
}

TEST(SharedChannel, ItsMemoryCannotBeTruncated) {
  SharedChannel channel("test", {}, false);
  EXPECT_NE(::ftruncate(channel.memory(), 0), 0);
  EXPECT_NE(::ftruncate(channel.memory(), 1 << 30), 0);
}

// A service that writes whatever it likes into the control block.
TEST(SharedChannel, BelievesNothingThatTheOtherSideWrites) {
  DomainOptions options;
  options.deadline = 2'000ms;
  SharedChannel channel("test", options, false);
  std::array<std::byte, 8> reply{};
  const auto answering = [](void* data) {
    auto& c = *static_cast<SharedChannel*>(data);
    c.set_turn(MISSIVE_TURN_HOST);
    for (;;) {
      if (std::atomic_ref(c.control().turn).load() != MISSIVE_TURN_SERVICE) continue;
      std::memset(&c.control(), 0x7f, MISSIVE_CONTROL_BYTES);
      c.set_turn(MISSIVE_TURN_HOST);
    }
  };
  OwnedProcess process;
  process.start("test", 0, answering, &channel);
  channel.await_start(process);
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(channel.call(process, Entry::sum, {}, reply), DomainFault);
  }
}

TEST(SharedChannel, TellsAnEndFromADelay) {
  DomainOptions options;
  options.deadline = 0ms;  // none: only the end of the process ends the wait
  SharedChannel channel("test", options, false);
  OwnedProcess process;
  process.start(
      "test", 0,
      [](void* data) {
        auto& c = *static_cast<SharedChannel*>(data);
        c.set_turn(MISSIVE_TURN_HOST);
        while (std::atomic_ref(c.control().turn).load() != MISSIVE_TURN_SERVICE) {
        }
        ::_exit(7);
      },
      &channel);
  channel.await_start(process);
  try {
    channel.call(process, Entry::null, {}, {});
    FAIL() << "no exception";
  } catch (const DomainFault& e) {
    EXPECT_THAT(e.what(), HasSubstr("exit status 7"));
  }
}

TEST(Limits, LeaveNothingWhenAValueIsRefused) {
  if (const auto why = limits_unavailable(); !why.empty()) GTEST_SKIP() << why;
  EXPECT_THROW(Limits(1 << 20, ~0U), RunError) << "more processes than the kernel can number";
  EXPECT_EQ(groups_of_this_process(), 0U);
}

TEST(Limits, BoundProcessesAndGoWithTheirOwner) {
  if (const auto why = limits_unavailable(); !why.empty()) GTEST_SKIP() << why;
  {
    const Limits limits(8 << 20, 2);
    EXPECT_GT(groups_of_this_process(), 0U);
    const pid_t child = ::fork();
    if (child == 0) {
      if (!limits.join()) ::_exit(1);
      const pid_t second = ::fork();
      if (second == 0) ::_exit(0);
      const pid_t third = second > 0 ? ::fork() : 0;  // the second still counts: nobody reaped it
      if (third == 0) ::_exit(0);
      ::_exit(second > 0 && third < 0 ? 42 : 2);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), 42);
  }
  EXPECT_EQ(groups_of_this_process(), 0U);
}

}  // namespace
}  // namespace missive::domains
