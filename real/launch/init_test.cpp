// The program of a picoprocess's init: what it has of its launcher (nothing), what it says to
// messages that are not right, and how it starts under unusual launchers.

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real/launch/init_control.h"
#include "real/launch/init_program.h"
#include "real/launch/probe_testing.h"

namespace missive::launch {
namespace {

using namespace missive::launch::testing;

// Whether `text` is in any memory of process `pid` that can be read.
bool memory_holds(pid_t pid, const std::string& text) {
  const std::string folder = "/proc/" + std::to_string(pid);
  const UniqueFd memory(::open((folder + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  if (!memory) throw_errno("memory of " + std::to_string(pid));
  std::ifstream maps(folder + "/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx r", &from, &to) != 2 || to - from > (1ULL << 28)) {
      continue;
    }
    std::string bytes(to - from, '\0');
    const ssize_t n = ::pread(memory.get(), bytes.data(), bytes.size(), static_cast<off_t>(from));
    if (n > 0 && bytes.find(text) != std::string::npos) return true;
  }
  return false;
}

class Child {
 public:
  explicit Child(int (*what)()) : pid_(::fork()) {
    if (pid_ == 0) ::_exit(what());
  }
  int status() const {
    int status = 0;
    ::waitpid(pid_, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

class InitTest : public ::testing::Test {
 protected:
  void SetUp() override { MISSIVE_NEEDS_PICOPROCESS(); }
};

TEST_F(InitTest, HasNothingOfTheLaunchersMemoryEnvironmentAndDescriptors) {
  std::string secret = "a secret of the launcher";
  for (char& c : secret) c = static_cast<char>(c ^ 0x5a);  // nowhere but in this string
  ::setenv("MISSIVE_TEST_SECRET", "in the environment", 1);
  const UniqueFd open_file(::open("/proc/self/exe", O_RDONLY));  // kept across exec
  Picoprocess process = Picoprocess::create();
  process.prepared();
  const std::string folder = "/proc/" + std::to_string(process.pid());
  ASSERT_TRUE(memory_holds(::getpid(), secret));
  EXPECT_FALSE(memory_holds(process.pid(), secret));
  EXPECT_FALSE(memory_holds(process.pid(), "in the environment"));
  std::set<std::string> kinds;
  for (const auto& each : fs::directory_iterator(folder + "/fd")) {
    kinds.insert(fs::read_symlink(each.path()).string());
  }
  ASSERT_EQ(kinds.size(), 1U);
  EXPECT_TRUE(kinds.begin()->starts_with("socket:"));
  ::unsetenv("MISSIVE_TEST_SECRET");
}

TEST_F(InitTest, ItsProgramCannotBeChanged) {
  const int seals = ::fcntl(init_program().get(), F_GET_SEALS);
  constexpr int kAll = F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL;
  EXPECT_EQ(seals & kAll, kAll);
  EXPECT_LT(::write(init_program().get(), "x", 1), 0);
  EXPECT_EQ(errno, EPERM);
}

// What the launcher says of the preparation of an init, given its first message.
std::string outcome(const UniqueFd& program, const std::string& message) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw_errno("socket pair");
  }
  InitProcess process;
  process.who = "init";
  process.control = UniqueFd(ends[0]);
  UniqueFd inside = above_standard(UniqueFd(ends[1]));
  if (message.empty()) {
    ::shutdown(process.control.get(), SHUT_WR);
  } else {
    ::send(process.control.get(), message.data(), message.size(), 0);
  }
  process.start = std::make_unique<InitStart>(program.get(), inside.get());
  process.pid = process.start->spawn(CLONE_NEWPID, process.pidfd);
  if (process.pid < 0) throw_errno("init");
  inside.reset();
  std::string said = "prepared";
  try {
    await_prepared(process);
  } catch (const Error& e) {
    said = e.what();
  }
  kill_init(process);
  return said;
}

std::string bytes_of(const PrepareMessage& head) {
  return {reinterpret_cast<const char*>(&head), sizeof head};
}

TEST_F(InitTest, RefusesMessagesThatAreNotRight) {
  const std::string whole = bytes_of({Confinement::full, 0, 0, 0});
  for (const std::string& message : {
           whole.substr(1),                                           // cut
           bytes_of({Confinement::full, 1, 0, 0}),                    // without its descriptor
           bytes_of({Confinement::full, 0, 0, 1}),                    // without its filter
           bytes_of({Confinement::full, 0, 0, 0xffffffffU}) + whole,  // a filter of 32 GiB
           whole + std::string(kMaxMessage, 'x'),                     // too long
       }) {
    EXPECT_EQ(outcome(init_program(), message), "init: receiving what it needs: Bad message")
        << message.size();
  }
  EXPECT_EQ(outcome(init_program(), whole), "prepared");
}

TEST_F(InitTest, EndsWithoutAWordWhenTheLauncherIsGone) {
  EXPECT_EQ(outcome(init_program(), ""), "init: its init died");
}

TEST_F(InitTest, AProgramThatCannotBeStartedIsReportedFromBeforeItsExec) {
  const UniqueFd no_program(::open("/proc/self/maps", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(outcome(no_program, "unread"),
            "init: starting the program of its init: Permission denied");
}

TEST_F(InitTest, StartsUnderALauncherWithoutStandardDescriptors) {
  (void)init_program();
  const Child child([] {
    for (int fd = 0; fd <= 2; ++fd) ::close(fd);
    try {
      Picoprocess::create().prepared();
    } catch (const Error&) {
      return 1;
    }
    return 0;
  });
  EXPECT_EQ(child.status(), 0);
}

// As with file capabilities: setcap(8).
TEST_F(InitTest, StartsUnderALauncherThatHasCapabilitiesButIsNotRoot) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  (void)init_program();
  const Child child([] {
    ::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
    if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) return 2;
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> sets{};
    ::syscall(SYS_capget, &header, sets.data());
    for (auto& each : sets) each.effective = each.permitted;
    if (::syscall(SYS_capset, &header, sets.data()) != 0) return 3;
    try {
      Picoprocess::create().prepared();
    } catch (const Error& e) {
      std::fprintf(stderr, "%s\n", e.what());
      return 1;
    }
    return 0;
  });
  EXPECT_EQ(child.status(), 0);
}

}  // namespace
}  // namespace missive::launch
