// Working directories: whose go, and whose do not.

#include "real/measure/scratch.h"

#include <array>
#include <csignal>
#include <fstream>
#include <functional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real/error_testing.h"

namespace missive::measure {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

class Scratch : public testing::Test {
 protected:
  std::vector<fs::path> left() const {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator(parent_))
      all.push_back(entry.path().filename());
    return all;
  }

  const ScratchDirectory home_;
  const fs::path parent_ = home_.path() / "parent";
};

// A process with a working directory of its own, with something in it, that lives until it is
// killed.
class Owner {
 public:
  // `before_waiting` runs in it.
  explicit Owner(
      const fs::path& parent, const std::function<void()>& before_waiting = [] {}) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      try {
        const ScratchDirectory own(parent);
        fs::create_directories(own.path() / "a/b");
        std::ofstream(own.path() / "a/b/file") << "content";
        fs::create_symlink("/etc", own.path() / "link");
        before_waiting();
        const std::string path = own.path().string() + '\n';
        if (::write(ends[1], path.data(), path.size()) > 0)
          for (;;) ::pause();
      } catch (const std::exception&) {
      }
      ::_exit(1);
    }
    ::close(ends[1]);
    std::string path;
    for (char c = 0; ::read(ends[0], &c, 1) == 1 && c != '\n';) path += c;
    ::close(ends[0]);
    path_ = path;
  }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  const fs::path& path() const { return path_; }

 private:
  pid_t pid_ = -1;
  fs::path path_;
};

TEST_F(Scratch, GoesWithItsObject) {
  fs::path path;
  {
    const ScratchDirectory scratch(parent_);
    path = scratch.path();
    EXPECT_TRUE(fs::is_directory(path));
    EXPECT_TRUE(fs::is_empty(path));
    EXPECT_EQ(path.parent_path(), parent_);
    std::ofstream(path / "file") << "content";
  }
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(Scratch, OfAKilledProcessGoesWithTheNextAndOfALivingOneStays) {
  Owner killed(parent_), living(parent_);
  ASSERT_TRUE(fs::exists(killed.path() / "a/b/file"));
  { const ScratchDirectory next(parent_); }
  EXPECT_TRUE(fs::exists(killed.path() / "a/b/file")) << "it lives";
  killed.kill();
  EXPECT_TRUE(fs::exists(killed.path() / "a/b/file")) << "nobody tidied up after it yet";
  { const ScratchDirectory next(parent_); }
  EXPECT_FALSE(fs::exists(killed.path()));
  EXPECT_TRUE(fs::exists(living.path() / "a/b/file"));
  EXPECT_EQ(left().size(), 2U) << "the living one's directory and lock";
  EXPECT_TRUE(fs::is_directory("/etc")) << "links are not followed";
}

// Forked without exec, it may still use what its parent made.
TEST_F(Scratch, StaysWhileAChildOfTheKilledOneLives) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  Owner owner(parent_, [&] {
    const pid_t child = ::fork();
    if (child == 0)
      for (;;) ::pause();
    if (::write(ends[1], &child, sizeof child) != sizeof child) ::_exit(1);
  });
  pid_t child = -1;
  ASSERT_EQ(::read(ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  owner.kill();
  { const ScratchDirectory next(parent_); }
  EXPECT_TRUE(fs::exists(owner.path() / "a/b/file"));
  ::kill(child, SIGKILL);
  // Not our child: its end shows in the lock, which the kernel gives back before the process is
  // gone.
  for (int i = 0; i < 2'000 && fs::exists(owner.path()); ++i) {
    ::usleep(1'000);
    const ScratchDirectory next(parent_);
  }
  EXPECT_FALSE(fs::exists(owner.path()));
  ::close(ends[0]);
  ::close(ends[1]);
}

// Each sweeps while the others are between making a lock file and having the lock.
TEST_F(Scratch, OfManyProcessesAtOnceIsNeverTakenAway) {
  std::vector<pid_t> all;
  for (int i = 0; i < 6; ++i) {
    all.push_back(::fork());
    if (all.back() != 0) continue;
    try {
      for (int round = 0; round < 60; ++round) {
        const ScratchDirectory scratch(parent_);
        std::ofstream(scratch.path() / "file") << "content";
        ::usleep(100);
        if (!fs::exists(scratch.path() / "file")) ::_exit(2);
      }
    } catch (const std::exception&) {
      ::_exit(3);
    }
    ::_exit(0);
  }
  for (const pid_t pid : all) {
    int status = -1;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    EXPECT_EQ(status, 0);
  }
  EXPECT_THAT(left(), IsEmpty());
}

TEST_F(Scratch, LeavesAloneWhatIsNotOfItsKind) {
  fs::create_directories(parent_ / "scratch-nolock");
  fs::create_directories(parent_ / "scratch-directory.lock");
  fs::create_directories(parent_ / "other");
  std::ofstream(parent_ / "other.lock");
  std::ofstream(home_.path() / "target");
  fs::create_symlink(home_.path() / "target", parent_ / "scratch-link.lock");
  ASSERT_EQ(::mkfifo((parent_ / "scratch-fifo.lock").c_str(), 0600), 0);
  const auto before = left().size();
  { const ScratchDirectory next(parent_); }
  EXPECT_TRUE(fs::exists(parent_ / "scratch-nolock"));
  EXPECT_TRUE(fs::exists(parent_ / "other"));
  EXPECT_TRUE(fs::is_symlink(parent_ / "scratch-link.lock"));
  EXPECT_TRUE(fs::exists(home_.path() / "target"));
  EXPECT_EQ(left().size(), before);
}

TEST_F(Scratch, IsNotMadeWhereOthersCouldExchangeIt) {
  fs::create_directory(home_.path() / "elsewhere");
  fs::create_directory_symlink(home_.path() / "elsewhere", home_.path() / "link");
  EXPECT_THAT(error_of([&] { const ScratchDirectory s(home_.path() / "link"); }),
              HasSubstr("cannot use the folder"));
  EXPECT_TRUE(fs::is_empty(home_.path() / "elsewhere"));
  fs::create_directory(parent_);
  ASSERT_EQ(::chmod(parent_.c_str(), 0777), 0);
  { const ScratchDirectory s(parent_); }
  EXPECT_EQ(fs::status(parent_).permissions() & fs::perms::mask, fs::perms{0755});
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a directory away";
  ASSERT_EQ(::chown(parent_.c_str(), 65534, 65534), 0);
  EXPECT_THAT(error_of([&] { const ScratchDirectory s(parent_); }), HasSubstr("set TMPDIR"));
}

TEST_F(Scratch, OfAnotherUserStays) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
  fs::create_directories(parent_ / "scratch-theirs");
  std::ofstream(parent_ / "scratch-theirs.lock");
  ASSERT_EQ(::chown((parent_ / "scratch-theirs.lock").c_str(), 65534, 65534), 0);
  { const ScratchDirectory next(parent_); }
  EXPECT_EQ(left().size(), 2U);
}

}  // namespace
}  // namespace missive::measure
