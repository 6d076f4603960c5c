#include "real/measure/mapped_pages.h"

#include <csignal>
#include <thread>

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"

namespace missive::measure {
namespace {

constexpr std::size_t kBytes = 64 * 4096;

const char* const kText =
    "55d0-55d1 r-xp 00001000 00:2a 17                   /usr/bin/a b: c\n"
    "Size:                 40 kB\n"
    "Rss:                  40 kB\n"
    "Pss:                  20 kB\n"
    "Pss_Dirty:             1 kB\n"
    "Anonymous:             0 kB\n"
    "VmFlags: rd ex mr mw me\n"
    "55d1-55d2 rw-p 00002000 00:2a 18                   /usr/lib/x\n"
    "Rss:                  12 kB\n"
    "Pss:                  10 kB\n"
    "Anonymous:             8 kB\n"
    "7ffc-7ffd rw-p 00000000 00:00 0                    [stack]\n"
    "Rss:                 100 kB\n"
    "Pss:                 100 kB\n"
    "Anonymous:           100 kB\n"
    "7ffe-7fff r--p 00000000 fd:10 17                   /host\n"
    "Rss:                   4 kB\n"
    "Pss:                   4 kB\n"
    "Anonymous:             0 kB\n";

TEST(MappedPages, SumsTheMappingsOfOneFileSystemWithoutTheirOwnCopies) {
  const auto device = ::gnu_dev_makedev(0, 0x2a);
  const MappedPages all = mapped_pages(kText, device, 0, "text");
  EXPECT_EQ(all.resident, (40u + 12 - 8) * 1024);
  EXPECT_EQ(all.proportional, (20u + 10 - 8) * 1024);
  const MappedPages one = mapped_pages(kText, device, 17, "text");
  EXPECT_EQ(one.resident, 40u * 1024);
  EXPECT_EQ(one.proportional, 20u * 1024);
  EXPECT_EQ(mapped_pages(kText, ::gnu_dev_makedev(0xfd, 0x10), 0, "text").resident, 4096u);
  EXPECT_EQ(mapped_pages(kText, ::gnu_dev_makedev(9, 9), 0, "text").resident, 0u);
}

TEST(MappedPages, AnotherTextIsAnErrorNotZero) {
  EXPECT_THROW(mapped_pages("Rss: 4 kB\n", 1, 0, "text"), RunError);
  std::string damaged = kText;
  damaged.replace(damaged.find("40 kB\nPss"), 5, "forty");
  EXPECT_THROW(mapped_pages(damaged, ::gnu_dev_makedev(0, 0x2a), 0, "text"), RunError);
}

// What the reading rests on: PSS of one process falls by half when another maps the same pages.
TEST(MappedPages, APageOfTwoProcessesCountsByHalf) {
  const UniqueFd file(::memfd_create("shared", MFD_CLOEXEC));
  ASSERT_EQ(::ftruncate(file.get(), kBytes), 0);
  struct stat status {};
  ASSERT_EQ(::fstat(file.get(), &status), 0);
  const Mapping mapping = Mapping::read_only(file.get(), kBytes, "shared");
  const auto touch = [&] {
    unsigned sum = 0;
    for (std::size_t i = 0; i < kBytes; i += 4096)
      sum += static_cast<unsigned>(static_cast<const volatile std::byte&>(mapping.bytes()[i]));
    return sum;
  };
  EXPECT_EQ(touch(), 0u);
  const auto here = [&] { return mapped_pages(::getpid(), status.st_dev, status.st_ino); };
  const MappedPages alone = here();
  EXPECT_EQ(alone.resident, kBytes);
  EXPECT_EQ(alone.proportional, kBytes);

  std::array<int, 2> ready{};
  ASSERT_EQ(::pipe(ready.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const char done = touch() == 0 ? 'y' : 'n';
    if (::write(ready[1], &done, 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char done = 0;
  ASSERT_EQ(::read(ready[0], &done, 1), 1);
  const MappedPages together = here();
  EXPECT_EQ(together.resident, kBytes);
  EXPECT_EQ(together.proportional, kBytes / 2);
  EXPECT_EQ(process_tree(::getpid()), (std::vector<pid_t>{::getpid(), child}));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(here().proportional, kBytes);
  EXPECT_EQ(mapped_pages(child, status.st_dev).resident, 0u) << "gone";
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace missive::measure
