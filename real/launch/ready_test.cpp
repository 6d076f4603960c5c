#include "real/launch/ready.h"

#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"

// Last: it defines None, Bool and other common words as macros.
#include <X11/Xlib.h>

namespace missive::launch {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

class DisplayTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      display_.emplace(Display::start());
    } catch (const NotAvailable& e) {
      GTEST_SKIP() << e.what();
    }
  }
  std::optional<Display> display_;
};

// A client with one window of the given size, mapped when told.
class Client {
 public:
  explicit Client(const std::string& name) : display_(::XOpenDisplay(name.c_str())) {}
  ~Client() {
    if (display_ != nullptr) ::XCloseDisplay(display_);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  bool connected() const { return display_ != nullptr; }
  void map(unsigned width, unsigned height) {
    const Window window =
        ::XCreateSimpleWindow(display_, DefaultRootWindow(display_), 0, 0, width, height, 0, 0, 0);
    ::XMapWindow(display_, window);
    ::XSync(display_, False);
  }

 private:
  ::Display* display_;
};

std::int64_t now() { return std::chrono::steady_clock::now().time_since_epoch() / 1ns; }

TEST_F(DisplayTest, FirstWindowOfSizeIsSeenAndSmallerOnesAreNot) {
  Client client(display_->name());
  ASSERT_TRUE(client.connected());
  client.map(300, 300);  // before the watcher: does not count
  WindowWatcher watcher(*display_);
  client.map(10, 10);
  client.map(59, 400);
  EXPECT_THROW(watcher.wait(100ms, -1), RunError);
  const std::int64_t before = now();
  client.map(60, 40);
  const std::int64_t at = watcher.wait(5000ms, -1);
  EXPECT_GE(at, before);
  EXPECT_LE(at, now());
}

TEST_F(DisplayTest, NoWindowBeforeTheDeadlineIsAnError) {
  WindowWatcher watcher(*display_);
  try {
    watcher.wait(20ms, -1);
    FAIL() << "a window?";
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "no window before the deadline");
  }
}

TEST_F(DisplayTest, ApplicationThatEndsFirstIsAnError) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(0);
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  WindowWatcher watcher(*display_);
  try {
    watcher.wait(10'000ms, pidfd.get());
    FAIL() << "a window?";
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("ended before its ready mark"));
  }
  ::waitpid(pid, nullptr, 0);
}

TEST_F(DisplayTest, DisplayThatDiesIsAnErrorAndNotTheEndOfTheProgram) {
  WindowWatcher watcher(*display_);
  display_.reset();
  EXPECT_THROW(watcher.wait(10'000ms, -1), RunError);
}

TEST_F(DisplayTest, EndsWithTheObject) {
  const std::filesystem::path socket = display_->socket();
  EXPECT_TRUE(std::filesystem::exists(socket));
  display_.reset();
  EXPECT_FALSE(std::filesystem::exists(socket));
}

TEST_F(DisplayTest, TwoDisplaysDoNotMeet) {
  const Display other = Display::start();
  EXPECT_NE(other.name(), display_->name());
  WindowWatcher watcher(*display_);
  Client client(other.name());
  client.map(300, 300);
  EXPECT_THROW(watcher.wait(50ms, -1), RunError);
}

TEST_F(DisplayTest, EndsByItselfWhenTheLauncherIsKilled) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t launcher = ::fork();
  if (launcher == 0) {
    const Display display = Display::start();
    const std::string socket = display.socket();
    (void)!::write(ends[1], socket.c_str(), socket.size());
    for (;;) ::pause();
  }
  char text[64] = {};
  ASSERT_GT(::read(ends[0], text, sizeof text - 1), 0);
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_TRUE(std::filesystem::exists(text));
  ::kill(launcher, SIGKILL);
  ::waitpid(launcher, nullptr, 0);
  for (int i = 0; i < 1000 && std::filesystem::exists(text); ++i) ::usleep(10'000);
  EXPECT_FALSE(std::filesystem::exists(text));
}

TEST(WaitForOutput, FirstByteCounts) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[0]), in(ends[1]);
  EXPECT_THROW(wait_for_output(out.get(), 20ms, -1), RunError);
  ASSERT_EQ(::write(in.get(), "r", 1), 1);
  const std::int64_t at = wait_for_output(out.get(), 5000ms, -1);
  EXPECT_LE(at, now());
}

TEST(WaitForOutput, EndOfOutputWithoutAByteIsAnError) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd out(ends[0]);
  ::close(ends[1]);
  try {
    wait_for_output(out.get(), 5000ms, -1);
    FAIL() << "output?";
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("ended before its ready mark"));
  }
}

}  // namespace
}  // namespace missive::launch
