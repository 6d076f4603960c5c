// What a picoprocess keeps in and out, seen from inside: the test program is started in it again
// (main() below) and reports.

#include "real/launch/picoprocess.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "real/launch/mounts.h"
#include "real/launch/native.h"
#include "real/launch/probe_testing.h"

namespace missive::launch {
namespace {

using namespace missive::launch::testing;
using ::testing::HasSubstr;

// ---- inside ----

std::string outcome(long result) { return result >= 0 ? "done" : std::strerror(errno); }

void say(const std::string& key, const std::string& value) {
  std::cout << key << '=' << value << '\n';
}

std::string names_in(const char* directory) {
  std::set<std::string> names;
  for (const auto& each : fs::directory_iterator(directory)) names.insert(each.path().filename());
  std::string text;
  for (const std::string& name : names) text += name + " ";
  return text;
}

std::string write_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY, 0600);
  const std::string result = outcome(fd < 0 ? fd : ::write(fd, "x", 1));
  if (fd >= 0) ::close(fd);
  return result;
}

void report_files() {
  say("root", names_in("/"));
  say("dev", names_in("/dev"));
  say("write /", write_file("/new"));
  say("write /data/large", outcome(::open("/data/large", O_WRONLY)));
  const char* const home = std::getenv("HOME");
  say("write ~", home == nullptr ? "no HOME" : write_file(std::string(home) + "/new"));
  for (const char* path : {"/tmp/new", "/run/user/1000/new", "/var/tmp/new", "/dev/shm/new"}) {
    say(std::string("write ") + path, write_file(path));
  }
  say("write /dev/null", write_file("/dev/null"));
  say("host root", outcome(::open("/proc/1/root", O_RDONLY)));
  say("init memory", outcome(::open("/proc/1/mem", O_RDONLY)));
  std::ifstream mounts("/proc/self/mountinfo");
  std::string points;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream in(line);
    std::string field;
    for (int i = 0; i < 5; ++i) in >> field;
    points += field + " ";
  }
  say("mounts", points);
}

void report_rights() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    for (const char* key : {"Uid:", "Gid:", "Groups:", "CapInh:", "CapPrm:", "CapEff:", "CapBnd:",
                            "CapAmb:", "NoNewPrivs:", "Seccomp:"}) {
      if (line.starts_with(key)) say(key, line.substr(std::strlen(key) + 1));
    }
  }
  say("mount", outcome(::mount("none", "/tmp", "tmpfs", 0, nullptr)));
  say("umount", outcome(::umount2("/tmp", MNT_DETACH)));
  say("chroot", outcome(::chroot("/tmp")));
  say("unshare", outcome(::unshare(CLONE_NEWUSER)));
  say("fsopen", outcome(::syscall(SYS_fsopen, "tmpfs", 0)));
  say("ptrace", outcome(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)));
  say("setns", outcome(::syscall(SYS_setns, 0, 0)));
  say("bpf", outcome(::syscall(SYS_bpf, 0, nullptr, 0)));
  say("keyctl", outcome(::syscall(SYS_keyctl, 0, 0)));
  say("io_uring", outcome(::syscall(SYS_io_uring_setup, 1, nullptr)));
  say("clone with namespaces",
      outcome(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr)));
  say("kill init", outcome(::kill(1, SIGKILL)));
  say("back to root", outcome(::setuid(0)));
}

void report_surroundings() {
  std::string pids;
  for (const std::string& name : [] {
         std::istringstream in(names_in("/proc"));
         return std::vector<std::string>{std::istream_iterator<std::string>(in), {}};
       }()) {
    if (name.find_first_not_of("0123456789") == std::string::npos) pids += name + " ";
  }
  say("pids", pids);
  say("pid", std::to_string(::getpid()));
  std::string fds;
  for (int fd = 0; fd < 1024; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) fds += std::to_string(fd) + " ";
  }
  say("descriptors", fds);
  std::string interfaces;
  if (auto* const all = ::if_nameindex()) {
    for (auto* each = all; each->if_name != nullptr; ++each) {
      interfaces += std::string(each->if_name) + " ";
    }
    ::if_freenameindex(all);
  }
  say("interfaces", interfaces);
  const auto connect_to = [](const char* address, int port) {
    const int s = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<std::uint16_t>(port));
    ::inet_pton(AF_INET, address, &to.sin_addr);
    const std::string result =
        outcome(::connect(s, reinterpret_cast<const sockaddr*>(&to), sizeof to));
    ::close(s);
    return result;
  };
  say("outside", connect_to("192.0.2.1", 80));
  say("loopback", connect_to("127.0.0.1", std::atoi(std::getenv("HOST_PORT"))));
  char host[65] = {};
  ::gethostname(host, sizeof host - 1);
  say("host name", host);
  say("session leader", ::getsid(0) == ::getpid() ? "yes" : "no");
  say("directory", fs::current_path());
}

[[noreturn]] void leave_children_and_sleep() {
  for (int i = 0; i < 3; ++i) {
    if (::fork() == 0) {
      if (::fork() == 0) {
        ::setsid();
        ::signal(SIGTERM, SIG_IGN);
        for (;;) ::pause();
      }
      ::_exit(0);
    }
    ::wait(nullptr);
  }
  std::cout << "sleeping" << std::endl;
  for (;;) ::pause();
}

int probe(const std::string& what) {
  if (what == "files") report_files();
  if (what == "rights") report_rights();
  if (what == "surroundings") report_surroundings();
  if (what == "sleep") leave_children_and_sleep();
  if (what == "die") return 3;
  std::cout.flush();
  return 0;
}

// ---- outside ----

class PicoprocessTest : public ::testing::Test {
 protected:
  void SetUp() override { MISSIVE_NEEDS_PICOPROCESS(); }

  std::map<std::string, std::string> ask(const std::string& what) {
    const auto delivery = make_extract_delivery();
    Picoprocess process = Picoprocess::create();
    const UniqueFd root = delivery->deliver(ProbeImage::get().image(), nullptr);
    Pipe output;
    Environment environment = probe_environment({"--probe", what});
    environment.variables.push_back("HOST_PORT=" + std::to_string(port_));
    process.start(root, environment, output.in.get(), 2);
    output.in.reset();
    return facts(read_all(output.out.get()));
  }
  int port_ = 1;
};

TEST_F(PicoprocessTest, SeesTheImageAndItsOwnMountsOnly) {
  auto seen = ask("files");
  const zar::Image& image = ProbeImage::get().image();
  std::string expected;
  for (const std::uint32_t child : image.children(0)) {
    expected += std::string(image.entries()[child].path.substr(1)) + " ";
  }
  EXPECT_EQ(seen["root"], expected);
  EXPECT_EQ(seen["dev"], "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero ");
  EXPECT_EQ(seen["mounts"], "/ /tmp /run /home /var/tmp /dev /dev/shm /dev/pts /proc ");
  EXPECT_EQ(seen["host root"], "Permission denied");
  EXPECT_EQ(seen["init memory"], "Permission denied");
}

TEST_F(PicoprocessTest, WritesOnlyWhereItMay) {
  auto seen = ask("files");
  EXPECT_EQ(seen["write /"], "Read-only file system");
  EXPECT_NE(seen["write /data/large"], "done");
  for (const char* where :
       {"~", "/tmp/new", "/run/user/1000/new", "/var/tmp/new", "/dev/shm/new", "/dev/null"}) {
    EXPECT_EQ(seen[std::string("write ") + where], "done") << where;
  }
}

TEST_F(PicoprocessTest, HasNoCapabilityAndCannotGetOne) {
  auto seen = ask("rights");
  EXPECT_EQ(seen["Uid:"], "1000\t1000\t1000\t1000");
  EXPECT_EQ(seen["Gid:"], "1000\t1000\t1000\t1000");
  for (const char* set : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"}) {
    EXPECT_EQ(seen[set], "0000000000000000") << set;
  }
  EXPECT_EQ(seen["NoNewPrivs:"], "1");
  EXPECT_EQ(seen["Seccomp:"], "2");
  EXPECT_EQ(seen["back to root"], "Operation not permitted");
}

TEST_F(PicoprocessTest, IsRefusedWhatCouldUndoItsConfinement) {
  auto seen = ask("rights");
  for (const char* call : {"mount", "umount", "chroot", "unshare", "fsopen", "ptrace", "setns",
                           "bpf", "keyctl", "io_uring", "clone with namespaces"}) {
    EXPECT_EQ(seen[call], "Operation not permitted") << call;
  }
  EXPECT_NE(seen["kill init"], "done");
}

TEST_F(PicoprocessTest, SeesNoProcessDescriptorOrNetworkOfTheHost) {
  // A listener on the host's loopback, which a shared network namespace would reach.
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);

  auto seen = ask("surroundings");
  EXPECT_EQ(seen["pids"], "1 2 ");
  EXPECT_EQ(seen["pid"], "2");
  EXPECT_EQ(seen["descriptors"], "0 1 2 ");
  EXPECT_EQ(seen["interfaces"], "lo ");
  EXPECT_EQ(seen["outside"], "Network is unreachable");
  EXPECT_EQ(seen["loopback"], "Connection refused");
  EXPECT_EQ(seen["host name"], "picoprocess");
  EXPECT_EQ(seen["session leader"], "yes");
  EXPECT_EQ(seen["directory"], "/home/u");
}

TEST_F(PicoprocessTest, ExecFailureNamesTheProgramAndTheReason) {
  const auto delivery = make_extract_delivery();
  const UniqueFd root = delivery->deliver(ProbeImage::get().image(), nullptr);
  Picoprocess process = Picoprocess::create();
  Environment environment = probe_environment({});
  environment.command = {"no-such-program"};
  try {
    process.start(root, environment, 1, 2);
    FAIL() << "started";
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(),
                 "cannot start the application: exec no-such-program: No such file or directory");
  }
  Picoprocess second = Picoprocess::create();
  environment.command = {"/data/page"};
  const auto delivery2 = make_extract_delivery();
  const UniqueFd root2 = delivery2->deliver(ProbeImage::get().image(), nullptr);
  EXPECT_THROW(
      {
        try {
          second.start(root2, environment, 1, 2);
        } catch (const RunError& e) {
          EXPECT_THAT(e.what(), HasSubstr("exec /data/page: Permission denied"));
          throw;
        }
      },
      RunError);
}

TEST_F(PicoprocessTest, ARootWithoutMountPointsIsRefused) {
  const UniqueFd root = new_mount("tmpfs", {}, 0);
  Picoprocess process = Picoprocess::create();
  try {
    process.start(root, probe_environment({}), 1, 2);
    FAIL() << "started";
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("the image needs /proc /dev /tmp /run /home /var/tmp"));
  }
}

TEST_F(PicoprocessTest, BadCommandsAreRefusedBeforeAnythingHappens) {
  Picoprocess process = Picoprocess::create();
  const UniqueFd root(::open("/", O_PATH | O_CLOEXEC));
  Environment environment;
  EXPECT_THROW(process.start(root, environment, 1, 2), InputError);
  environment.command = {std::string("a\0b", 3)};
  EXPECT_THROW(process.start(root, environment, 1, 2), InputError);
  environment.command = {"/probe", std::string(100'000, 'x')};
  EXPECT_THROW(process.start(root, environment, 1, 2), InputError);
  environment.command.assign(5000, "/probe");
  EXPECT_THROW(process.start(root, environment, 1, 2), InputError);
  EXPECT_TRUE(process.running());
}

TEST_F(PicoprocessTest, ItsEndIsSeen) {
  const auto delivery = make_extract_delivery();
  const UniqueFd root = delivery->deliver(ProbeImage::get().image(), nullptr);
  Picoprocess process = Picoprocess::create();
  EXPECT_TRUE(process.running());
  process.start(root, probe_environment({"--probe", "die"}), 1, 2);
  pollfd ended{process.pidfd(), POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
  EXPECT_FALSE(process.running());
}

// As a user without any right: in a child process, because there is no way back.
TEST(GainMountRights, LetsAnOrdinaryUserMakeAPicoprocessWhereTheHostAllowsIt) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  ProbeImage::get();
  Pipe output;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    output.out.reset();
    if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) ::_exit(1);
    // Changing the user hides /proc/self from it until an exec, or this.
    ::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    try {
      gain_mount_rights();
    } catch (const NotAvailable&) {
      ::_exit(2);
    }
    try {
      const auto delivery = make_extract_delivery();
      Picoprocess process = Picoprocess::create();
      const UniqueFd root = delivery->deliver(ProbeImage::get().image(), nullptr);
      process.start(root, probe_environment({"--probe", "rights"}), output.in.get(), 2);
      pollfd ended{process.pidfd(), POLLIN, 0};
      ::poll(&ended, 1, 10'000);
    } catch (const Error& e) {
      std::cerr << e.what() << std::endl;
      ::_exit(3);
    }
    ::_exit(0);
  }
  output.in.reset();
  auto seen = facts(read_all(output.out.get()));
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 2) GTEST_SKIP() << "this host has no user namespaces for users";
  ASSERT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(seen["CapEff:"], "0000000000000000");
  EXPECT_EQ(seen["CapBnd:"], "0000000000000000");
  EXPECT_EQ(seen["Seccomp:"], "2");
  EXPECT_EQ(seen["mount"], "Operation not permitted");
  EXPECT_EQ(seen["unshare"], "Operation not permitted");
}

std::string own_mounts() {
  std::ifstream in("/proc/self/mountinfo");
  return {std::istreambuf_iterator<char>(in), {}};
}

int open_descriptors() {
  return static_cast<int>(
      std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

class EveryDelivery : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    MISSIVE_NEEDS_PICOPROCESS();
    const std::string why = delivery(GetParam()).unavailable();
    if (!why.empty()) GTEST_SKIP() << GetParam() << " is not available here: " << why;
  }
};

TEST_P(EveryDelivery, DestructionLeavesNoProcessMountOrDescriptor) {
  ProbeImage::get();
  (void)Picoprocess::create();  // what is made once per program is made now
  const std::string token = new_token();
  const int descriptors = open_descriptors();
  const std::string mounts = own_mounts();
  {
    const auto method = delivery(GetParam()).make();
    Picoprocess process = Picoprocess::create();
    const UniqueFd root = method->deliver(ProbeImage::get().image(), nullptr);
    Pipe output;
    process.start(root, probe_environment({"--probe", "sleep", token}), output.in.get(), 2);
    output.in.reset();
    std::array<char, 9> text{};
    ASSERT_EQ(::read(output.out.get(), text.data(), text.size()), 9);
    EXPECT_EQ(processes_with(token).size(), 4u);  // itself and three that left its session
    EXPECT_EQ(own_mounts(), mounts);
  }
  EXPECT_TRUE(processes_with(token).empty());
  EXPECT_EQ(own_mounts(), mounts);
  EXPECT_EQ(open_descriptors(), descriptors);
}

TEST_P(EveryDelivery, KillingTheLauncherLeavesNoProcess) {
  ProbeImage::get();
  const std::string token = new_token();
  Pipe output;
  const pid_t launcher = ::fork();
  ASSERT_GE(launcher, 0);
  if (launcher == 0) {
    const auto method = delivery(GetParam()).make();
    Picoprocess process = Picoprocess::create();
    Picoprocess waiting = Picoprocess::create();  // must not keep the first one alive
    const UniqueFd root = method->deliver(ProbeImage::get().image(), nullptr);
    process.start(root, probe_environment({"--probe", "sleep", token}), output.in.get(), 2);
    output.in.reset();
    for (;;) ::pause();
  }
  output.in.reset();
  std::array<char, 9> text{};
  ASSERT_EQ(::read(output.out.get(), text.data(), text.size()), 9);
  EXPECT_EQ(processes_with(token).size(), 4u);
  ::kill(launcher, SIGKILL);
  ::waitpid(launcher, nullptr, 0);
  EXPECT_TRUE(gone_within(token, std::chrono::seconds(10)));
}

INSTANTIATE_TEST_SUITE_P(Deliveries, EveryDelivery, ::testing::Values("extract", "fuse"));

class NativeTwinTest : public PicoprocessTest {};

TEST_F(NativeTwinTest, RunsFromTheTreeAsAnOrdinaryUserWithoutConfinement) {
  NativeTwin twin = NativeTwin::prepare(ProbeImage::get().tree(), {});
  Pipe output;
  twin.start(probe_environment({"--probe", "files"}), output.in.get(), 2);
  output.in.reset();
  auto seen = facts(read_all(output.out.get()));
  EXPECT_EQ(seen["write /"], "Read-only file system");
  EXPECT_EQ(seen["write ~"], "done");
  EXPECT_EQ(seen["mounts"], "/ /tmp /run /home /var/tmp /dev /dev/shm /dev/pts /proc ");

  NativeTwin other = NativeTwin::prepare(ProbeImage::get().tree(), {});
  Pipe second;
  other.start(probe_environment({"--probe", "rights"}), second.in.get(), 2);
  second.in.reset();
  seen = facts(read_all(second.out.get()));
  EXPECT_EQ(seen["Uid:"], "1000\t1000\t1000\t1000");
  EXPECT_EQ(seen["Seccomp:"], "0");
}

TEST_F(NativeTwinTest, DestructionKillsWhatLeftItsSession) {
  const std::string token = new_token();
  {
    NativeTwin twin = NativeTwin::prepare(ProbeImage::get().tree(), {});
    Pipe output;
    twin.start(probe_environment({"--probe", "sleep", token}), output.in.get(), 2);
    std::array<char, 9> text{};
    ASSERT_EQ(::read(output.out.get(), text.data(), text.size()), 9);
    EXPECT_EQ(processes_with(token).size(), 4u);
  }
  EXPECT_TRUE(processes_with(token).empty());
}

TEST_F(NativeTwinTest, KillingTheLauncherLeavesNoProcess) {
  ProbeImage::get();
  const std::string token = new_token();
  Pipe output;
  const pid_t launcher = ::fork();
  ASSERT_GE(launcher, 0);
  if (launcher == 0) {
    NativeTwin twin = NativeTwin::prepare(ProbeImage::get().tree(), {});
    twin.start(probe_environment({"--probe", "sleep", token}), output.in.get(), 2);
    output.in.reset();
    for (;;) ::pause();
  }
  output.in.reset();
  std::array<char, 9> text{};
  ASSERT_EQ(::read(output.out.get(), text.data(), text.size()), 9);
  ::kill(launcher, SIGKILL);
  ::waitpid(launcher, nullptr, 0);
  EXPECT_TRUE(gone_within(token, std::chrono::seconds(10)));
}

TEST_F(NativeTwinTest, MissingTreeIsOneClearLine) {
  try {
    NativeTwin::prepare("/no/such/tree", {});
    FAIL() << "prepared";
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("/no/such/tree: No such file or directory"));
  }
}

}  // namespace
}  // namespace missive::launch

int main(int argc, char** argv) {
  if (argc >= 3 && std::string(argv[1]) == "--probe") return missive::launch::probe(argv[2]);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
