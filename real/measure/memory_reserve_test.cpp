#include "real/measure/memory_reserve.h"

#include <fstream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace missive::measure {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

// Of this process, from statm of proc(5).
std::uint64_t resident() {
  std::ifstream in("/proc/self/statm");
  std::uint64_t size = 0, pages = 0;
  in >> size >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

TEST(MemoryReserve, what_is_lent_is_free_until_the_loan_ends) {
  const std::uint64_t before = resident();
  MemoryReserve reserve(64 * kMiB);
  ASSERT_EQ(reserve.bytes(), 64 * kMiB);
  EXPECT_GE(resident(), before + 120 * kMiB) << "in single and in huge pages";
  {
    const auto loan = reserve.lend(32 * kMiB);
    EXPECT_LE(resident(), before + 72 * kMiB);
  }
  EXPECT_GE(resident(), before + 120 * kMiB);
}

TEST(MemoryReserve, no_more_is_lent_than_there_is) {
  MemoryReserve reserve(4 * kMiB);
  const std::uint64_t before = resident();
  const auto loan = reserve.lend(1000 * kMiB);
  EXPECT_LE(resident(), before);
}

TEST(MemoryReserve, comes_in_whole_huge_pages_and_is_never_empty) {
  EXPECT_EQ(MemoryReserve(1).bytes(), 2 * kMiB);
  EXPECT_EQ(MemoryReserve(7 * kMiB).bytes(), 6 * kMiB);
}

TEST(MemoryReserve, a_child_does_not_have_it) {
  const MemoryReserve reserve(64 * kMiB);
  const std::uint64_t here = resident();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(resident() + 48 * kMiB < here ? 0 : 1);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace missive::measure
