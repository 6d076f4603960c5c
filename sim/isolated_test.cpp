#include "sim/isolated.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>

#include "models/error.h"

namespace missive {
namespace {

using testing::HasSubstr;

template <class Job>
std::string run_error(Job job, const IsolationLimits& limits = {}) {
  try {
    run_isolated("here", job, limits);
  } catch (const RunError& e) {
    return e.what();
  }
  return "no RunError";
}

// waitpid(2) fails with ECHILD when there is no child, dead or alive.
bool no_child_left() { return ::waitpid(-1, nullptr, WNOHANG) == -1; }

TEST(Isolated, BringsBackTheAnswerByteByByte) {
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  std::string large;
  for (int i = 0; i < 4096; ++i) large += all;
  EXPECT_EQ(run_isolated("here", [&] { return large; }), large);
  EXPECT_EQ(run_isolated("here", [] { return std::string(); }), "");
  EXPECT_TRUE(no_child_left());
}

TEST(Isolated, ChangesNothingInTheCaller) {
  int touched = 0;
  run_isolated("here", [&] {
    touched = 1;
    return std::string();
  });
  EXPECT_EQ(touched, 0);
}

TEST(Isolated, ErrorsKeepTheirKind) {
  EXPECT_THROW(
      run_isolated("here", []() -> std::string { throw InputError("file: bad; mend it"); }),
      InputError);
  EXPECT_EQ(run_error([]() -> std::string { throw RunError("went wrong"); }), "here: went wrong");
  EXPECT_EQ(run_error([]() -> std::string { throw std::logic_error("defect"); }), "here: defect");
  EXPECT_THAT(run_error([]() -> std::string { throw 7; }), HasSubstr("unknown type"));
}

TEST(Isolated, ACrashIsAnErrorWithTheLastWords) {
  const std::string text = run_error([]() -> std::string {
    std::fputs("first line\nlast words\n", stderr);
    ::signal(SIGABRT, SIG_DFL);
    std::abort();
  });
  EXPECT_THAT(text, HasSubstr("here: the process ended by signal"));
  EXPECT_THAT(text, HasSubstr("(last words)"));
  EXPECT_TRUE(no_child_left());
}

TEST(Isolated, LeavingEarlyIsAnError) {
  EXPECT_THAT(run_error([]() -> std::string { ::_exit(0); }), HasSubstr("no complete answer"));
  EXPECT_THAT(run_error([]() -> std::string { ::_exit(3); }), HasSubstr("status 3"));
}

TEST(Isolated, SilenceIsBounded) {
  IsolationLimits limits;
  limits.timeout = std::chrono::milliseconds(50);
  const std::string text = run_error(
      []() -> std::string {
        for (;;) ::pause();
      },
      limits);
  EXPECT_THAT(text, HasSubstr("no answer within 50 ms"));
  EXPECT_TRUE(no_child_left());
}

TEST(Isolated, AnEndlessAnswerIsBounded) {
  IsolationLimits limits;
  limits.answer_bytes = 1000;
  EXPECT_THAT(run_error([] { return std::string(1 << 20, 'x'); }, limits),
              HasSubstr("larger than allowed"));
  EXPECT_TRUE(no_child_left());
}

TEST(Isolated, AnInterruptedChildIsAnInterruption) {
  const auto job = []() -> std::string {
    ::raise(SIGINT);
    return "";
  };
  EXPECT_THROW(run_isolated("here", job), Interrupted);
  EXPECT_TRUE(no_child_left());
}

TEST(Isolated, TheChildDoesNotFlushTheCallersStreams) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  std::fputs("once", file);  // stays in the buffer that the child inherits
  run_isolated("here", [] { return std::string(); });
  std::fflush(file);
  EXPECT_EQ(std::ftell(file), 4);
  std::fseek(file, 0, SEEK_END);
  EXPECT_EQ(std::ftell(file), 4);
  std::fclose(file);
}

}  // namespace
}  // namespace missive
