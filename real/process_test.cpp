#include "real/process.h"

#include <csignal>

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

}  // namespace
}  // namespace missive
