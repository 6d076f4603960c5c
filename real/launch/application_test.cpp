#include "real/launch/application.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/measure/scratch.h"

namespace missive::launch {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Applications, HaveDistinctNamesCommandsAndPackages) {
  std::set<std::string> names;
  for (const Application& each : applications()) {
    EXPECT_TRUE(names.insert(each.name).second) << each.name;
    EXPECT_FALSE(each.command.empty()) << each.name;
    EXPECT_FALSE(each.packages.empty()) << each.name;
  }
}

TEST(Applications, UnknownNameIsAnsweredWithTheNearestOne) {
  try {
    application("gnumerik");
    FAIL() << "accepted";
  } catch (const InputError& e) {
    EXPECT_THAT(e.what(), HasSubstr("did you mean \"gnumeric\""));
  }
}

TEST(EnvironmentFor, HasADisplayOnlyWhenThereIsOne) {
  EXPECT_THAT(environment_for(application("gnumeric"), ":7"), Contains("DISPLAY=:7"));
  EXPECT_THAT(environment_for(application("python3"), ""), Not(Contains(StartsWith("DISPLAY"))));
}

// ensure_root() with a project directory of its own, whose scripts/app-root is what a test wants.
class EnsureRoot : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(directory_ / "data" / "scripts");
    // By this file a folder is known as the project's (real/data_dir.h).
    fs::create_directories(directory_ / "data/experiments/schema");
    std::ofstream(directory_ / "data/experiments/schema/experiment.schema.json") << "{}";
    ::setenv("MISSIVE_DATA_DIR", (directory_ / "data").c_str(), 1);
    ::setenv("MISSIVE_HOME", (directory_ / "home").c_str(), 1);
    app_.name = "toy";
    app_.packages = {"toy", "toy-data"};
  }
  void TearDown() override {
    ::unsetenv("MISSIVE_DATA_DIR");
    ::unsetenv("MISSIVE_HOME");
  }

  void script(const std::string& body) {
    const fs::path file = directory_ / "data" / "scripts" / "app-root";
    std::ofstream(file) << "#!/bin/sh\necho run >> " << (directory_ / "runs").string() << "\n"
                        << body << "\n";
    ::chmod(file.c_str(), 0755);
  }
  int runs() const {
    std::ifstream in(directory_ / "runs");
    return static_cast<int>(std::count(std::istreambuf_iterator<char>(in), {}, '\n'));
  }
  // What is visible in the directory of roots: the lock file may stay.
  std::set<std::string> roots() const {
    std::set<std::string> names;
    for (const auto& each : fs::directory_iterator(directory_ / "home" / "roots")) {
      if (each.path().extension() != ".lock") names.insert(each.path().filename());
    }
    return names;
  }
  template <typename Failure>
  std::string failure() {
    try {
      ensure_root(app_);
    } catch (const Failure& e) {
      return e.what();
    }
    return "succeeded";
  }

  measure::ScratchDirectory scratch_;
  const fs::path directory_ = scratch_.path();
  Application app_;
};

TEST_F(EnsureRoot, BuildsOnceAndThenRunsNothing) {
  script("mkdir \"$1\"; echo \"$2 $3 $4\" > \"$1/arguments\"");
  const fs::path root = ensure_root(app_);
  EXPECT_EQ(root, directory_ / "home" / "roots" / "toy");
  std::ifstream in(root / "arguments");
  std::string line;
  std::getline(in, line);
  EXPECT_EQ(line, (directory_ / "home" / "debs").string() + " toy toy-data");
  EXPECT_EQ(ensure_root(app_), root);
  EXPECT_EQ(runs(), 1);
}

TEST_F(EnsureRoot, SaysWhatIsMissing) {
  script("echo 'mmdebstrap is not installed' >&2; exit 3");
  EXPECT_EQ(failure<NotAvailable>(), "root of toy: mmdebstrap is not installed");
}

TEST_F(EnsureRoot, WithoutNetworkIsNotAvailable) {
  script("echo noise >&2; echo 'the Debian mirror http://m cannot be reached' >&2; exit 4");
  EXPECT_THAT(failure<NotAvailable>(), StartsWith("root of toy: the Debian mirror http://m"));
}

TEST_F(EnsureRoot, FailureLeavesNoHalfRootAndTheNextRunStartsAfresh) {
  script("mkdir \"$1\"; touch \"$1/half\"; echo 'E: broken' >&2; exit 1");
  EXPECT_EQ(failure<RunError>(), "root of toy: E: broken");
  EXPECT_EQ(roots(), std::set<std::string>{});
  script("mkdir \"$1\"");
  EXPECT_FALSE(fs::exists(ensure_root(app_) / "half"));
}

TEST_F(EnsureRoot, InterruptedBuildLeavesNoHalfRoot) {
  script("mkdir \"$1\"; kill -KILL $$");
  EXPECT_THAT(failure<RunError>(), HasSubstr("interrupted"));
  EXPECT_EQ(roots(), std::set<std::string>{});
}

TEST_F(EnsureRoot, RemovesWhatAKilledRunLeftBehind) {
  fs::create_directories(directory_ / "home" / "roots" / ".toy.building" / "half");
  script("[ ! -e \"$1\" ] || exit 1; mkdir \"$1\"");
  EXPECT_NO_THROW(ensure_root(app_));
  EXPECT_EQ(roots(), std::set<std::string>{"toy"});
}

TEST_F(EnsureRoot, TwoAtOnceBuildOnce) {
  script("sleep 0.3; mkdir \"$1\"");
  std::thread other([&] { EXPECT_NO_THROW(ensure_root(app_)); });
  EXPECT_NO_THROW(ensure_root(app_));
  other.join();
  EXPECT_EQ(runs(), 1);
}

TEST_F(EnsureRoot, MissingScriptIsOneClearLine) {
  EXPECT_THAT(failure<RunError>(), HasSubstr("scripts/app-root"));
}

}  // namespace
}  // namespace missive::launch
