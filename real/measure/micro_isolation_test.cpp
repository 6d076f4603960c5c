// The isolation micro-measurements give samples of the columns they announce, and leave nothing.

#include "real/measure/micro_isolation.h"

#include <filesystem>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sys/wait.h>

namespace missive::measure {
namespace {

std::ptrdiff_t open_descriptors() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST(IsolationMicros, HaveNamesOfTheirOwn) {
  std::set<std::string> names;
  for (const IsolationMicro& micro : isolation_micros()) {
    EXPECT_TRUE(names.insert(micro.name).second) << micro.name;
    EXPECT_TRUE(micro.call || micro.byte || micro.item) << micro.name;
  }
}

TEST(IsolationMicros, GiveTimesForTheColumnsTheyAnnounceUnlessTheySayWhyNotAndLeaveNothing) {
  const auto before = open_descriptors();
  std::vector<MicroSample> samples;
  for (const MicroProcess where : kMicroProcesses)
    for (MicroSample& s : run_isolation_micros(where, 1, 7)) {
      EXPECT_EQ(micro_process(s.micro), where) << s.micro;
      samples.push_back(std::move(s));
    }
  for (const IsolationMicro& micro : isolation_micros()) {
    std::uint64_t calls = 0, bytes = 0, items = 0, n = 0;
    for (const MicroSample& s : samples) {
      if (s.micro != micro.name) continue;
      EXPECT_GT(s.seconds, 0) << micro.name;
      calls += s.calls, bytes += s.bytes, items += s.items, ++n;
    }
    EXPECT_EQ(n > 0, isolation_micro_unavailable(micro.name).empty()) << micro.name;
    if (n == 0) continue;
    if (micro.call) {
      EXPECT_GT(calls, 0U) << micro.name;
    }
    EXPECT_EQ(micro.byte, bytes > 0) << micro.name;
    EXPECT_EQ(micro.item, items > 0) << micro.name;
  }
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

}  // namespace
}  // namespace missive::measure
