// What goes wrong around one build: nothing half is left under the final name, and what was there
// before stays. Of whole images, disks and memory: fault_test.cpp.

#include <atomic>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/zar/builder.h"
#include "real/zar/builder_testing.h"
#include "real/zar/test_tree.h"

namespace missive::zar {
namespace {

TEST_F(BuilderTest, ReplacesAnOlderImageAndLeavesNothingBeside) {
  put_sample(tree());
  std::ofstream(out()) << "old";
  build(tree(), {}, {}, out());
  EXPECT_NO_THROW(Opened{out()});
  EXPECT_EQ(files_beside_the_image(), 2u);  // the tree and the image
}

TEST_F(BuilderTest, AnUnreadableTreeIsNamedAndNothingIsLeft) {
  try {
    build(dir_.path() / "nowhere", {}, {}, out());
    FAIL();
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("nowhere"));
  }
  put(tree(), "/file", "x");
  EXPECT_THROW(build(tree() / "file", {}, {}, out()), InputError);
  EXPECT_EQ(files_beside_the_image(), 1u);
}

TEST_F(BuilderTest, AnImpossibleOutputIsAnErrorAndKeepsWhatWasThere) {
  put(tree(), "/file", "x");
  EXPECT_THROW(build(tree(), {}, {}, dir_.path() / "no/such/dir/image"), RunError);
  fs::create_directories(out("occupied") / "by");
  EXPECT_THROW(build(tree(), {}, {}, out("occupied")), RunError);
  EXPECT_EQ(files_beside_the_image(), 2u);
}

// A limit on the file size is a disk that fills up after 200,000 bytes.
TEST_F(BuilderTest, AFullDiskIsAnErrorAndLeavesNothing) {
  put(tree(), "/big", noise(3'000'000, 1));
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{200'000, 200'000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    int status = 1;
    try {
      build(tree(), {}, {}, out());
    } catch (const RunError&) {
      status = 0;
    } catch (...) {
      status = 2;
    }
    ::_exit(status);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(files_beside_the_image(), 1u);
}

TEST_F(BuilderTest, AFileThatChangesWhilePackedIsAnErrorOrWhole) {
  put(tree(), "/a", noise(8'000'000, 1));
  put(tree(), "/z", std::string(50'000, 'z'));
  std::atomic<bool> stop{false};
  std::thread vandal([&] {
    for (unsigned i = 0; !stop; ++i) {
      std::ofstream(tree() / "z", std::ios::binary) << std::string(1000 + i % 90'000, 'z');
    }
  });
  for (int round = 0; round < 10; ++round) {
    try {
      build(tree(), {}, {}, out());
    } catch (const RunError& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr("while being packed"));
      continue;
    }
    const std::string z = Opened(out()).text("/z");
    EXPECT_EQ(z, std::string(z.size(), 'z'));
  }
  stop = true;
  vandal.join();
}

TEST_F(BuilderTest, AnUnreadableFileIsNamed) {
  put(tree(), "/secret", "x");
  fs::permissions(tree() / "secret", fs::perms::none);
  const pid_t child = ::fork();  // as somebody else where this process is root
  if (child == 0) {
    if (::geteuid() == 0) fs::permissions(dir_.path(), fs::perms::all);
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(3);
    int status = 1;
    try {
      build(tree(), {}, {}, out());
    } catch (const InputError& e) {
      status = std::strstr(e.what(), "/secret: cannot read") != nullptr ? 0 : 2;
    } catch (...) {
      status = 4;
    }
    ::_exit(status);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(BuilderTest, TwoBuildersOnOneOutputLeaveOneWholeImage) {
  put_sample(tree());
  put(tree(), "/large", noise(3'000'000, 4));
  const Digest name = build(tree(), {}, {}, out("expected")).name;
  std::vector<std::thread> builders;
  for (int i = 0; i < 2; ++i)
    builders.emplace_back([&] {
      for (int round = 0; round < 5; ++round) build(tree(), {}, {}, out());
    });
  for (std::thread& b : builders) b.join();
  EXPECT_EQ(make_recipe(Opened(out()).image).name(), name);
  EXPECT_EQ(files_beside_the_image(), 3u);
}

}  // namespace
}  // namespace missive::zar
