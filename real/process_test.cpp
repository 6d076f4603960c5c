#include "real/process.h"

#include <csignal>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"

namespace missive {
namespace {

using std::chrono::milliseconds;

TEST(RunInChild, returns_what_the_work_returned_from_another_process) {
  const std::string pid =
      run_in_child([] { return std::to_string(::getpid()); }, milliseconds(5000), "test");
  EXPECT_NE(pid, std::to_string(::getpid()));
}

TEST(RunInChild, carries_large_results) {
  const std::string big =
      run_in_child([] { return std::string(3 << 20, 'x'); }, milliseconds(5000), "test");
  EXPECT_EQ(big.size(), std::size_t{3} << 20);
}

TEST(RunInChild, passes_an_error_on_with_status_and_message) {
  try {
    run_in_child([]() -> std::string { throw NotAvailable("no such device here"); },
                 milliseconds(5000), "test");
    FAIL() << "no error";
  } catch (const NotAvailable& e) {  // the kind, not only the status: callers catch by kind
    EXPECT_EQ(e.status(), ExitStatus::not_available);
    EXPECT_STREQ(e.what(), "no such device here");
  }
}

TEST(RunInChild, reports_a_crash) {
  EXPECT_THROW(run_in_child(
                   []() -> std::string {
                     ::raise(SIGKILL);
                     return {};
                   },
                   milliseconds(5000), "test"),
               RunError);
}

TEST(RunInChild, stops_a_child_that_never_answers_and_reaps_it) {
  EXPECT_THROW(run_in_child(
                   []() -> std::string {
                     ::pause();
                     return {};
                   },
                   milliseconds(100), "test"),
               RunError);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST(RunInChildren, answers_in_order_from_as_many_processes) {
  std::vector<ChildWork> works;
  for (int i = 0; i < 5; ++i)
    works.push_back({[i] {
                       ::usleep((5 - i) * 2'000);  // the last one answers first
                       return std::to_string(i) + " of " + std::to_string(::getppid());
                     },
                     "test " + std::to_string(i)});
  const auto answers = run_in_children(works, milliseconds(5000));
  ASSERT_EQ(answers.size(), 5u);
  for (int i = 0; i < 5; ++i)
    EXPECT_EQ(answers[i], std::to_string(i) + " of " + std::to_string(::getpid()));
  EXPECT_TRUE(run_in_children({}, milliseconds(5000)).empty());
}

TEST(RunInChildren, none_begins_before_all_are_there) {
  // Every child sees as many children of its parent as there are.
  const auto count = [] {
    std::ifstream in("/proc/" + std::to_string(::getppid()) + "/task/" +
                     std::to_string(::getppid()) + "/children");
    int n = 0;
    for (pid_t pid; in >> pid;) ++n;
    ::usleep(100'000);  // stay until the others have counted
    return std::to_string(n);
  };
  for (const std::string& seen :
       run_in_children({{count, "a"}, {count, "b"}, {count, "c"}}, milliseconds(5000)))
    EXPECT_EQ(seen, "3");
}

TEST(RunInChildren, names_the_one_that_failed_and_leaves_none) {
  const auto fine = [] { return std::string("fine"); };
  const auto fails = []() -> std::string { throw RunError("second: no luck"); };
  const auto silent = []() -> std::string {
    ::pause();
    return {};
  };
  try {
    run_in_children({{fine, "first"}, {fails, "second"}, {fine, "third"}}, milliseconds(5000));
    FAIL() << "no error";
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "second: no luck");
  }
  try {
    run_in_children({{fine, "first"}, {silent, "second"}}, milliseconds(100));
    FAIL() << "no error";
  } catch (const RunError& e) {
    EXPECT_STREQ(e.what(), "second: no answer before the deadline; stopped");
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

}  // namespace
}  // namespace missive
