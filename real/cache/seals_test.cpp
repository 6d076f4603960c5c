#include "real/cache/seals.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <thread>

#include "models/error.h"
#include "real/fd.h"
#include "real/origin/test_image.h"

namespace missive::cache {
namespace {

constexpr std::uint64_t kLength = 8192;

UniqueFd memory(int seals) {
  UniqueFd fd(::memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  EXPECT_EQ(::ftruncate(fd.get(), kLength), 0);
  if (seals != 0) {
    EXPECT_EQ(::fcntl(fd.get(), F_ADD_SEALS, seals), 0);
  }
  return fd;
}

std::string refusal(int fd, std::uint64_t length = kLength) {
  try {
    require_sealed(fd, length, "test");
  } catch (const RunError& e) {
    return e.what();
  }
  return "accepted";
}

TEST(Seals, AllThreeAreRequired) {
  using testing::HasSubstr;
  const int all = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
  EXPECT_EQ(refusal(memory(all).get()), "accepted");
  EXPECT_EQ(refusal(memory(all | F_SEAL_SEAL).get()), "accepted");
  EXPECT_THAT(refusal(memory(0).get()), HasSubstr("not sealed against writing"));
  EXPECT_THAT(refusal(memory(all & ~F_SEAL_WRITE).get()), HasSubstr("writing"));
  EXPECT_THAT(refusal(memory(all & ~F_SEAL_SHRINK).get()), HasSubstr("size"));
  EXPECT_THAT(refusal(memory(all & ~F_SEAL_GROW).get()), HasSubstr("size"));
  // Future writes alone leave the writable mappings that exist already.
  EXPECT_THAT(refusal(memory(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE).get()),
              HasSubstr("writing"));
}

TEST(Seals, LengthMustBeExact) {
  const UniqueFd fd = memory(F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW);
  EXPECT_THAT(refusal(fd.get(), kLength + 1), testing::HasSubstr("8192 bytes instead of 8193"));
}

TEST(Seals, OtherKindsOfDescriptorsAreRefused) {
  const origin::TemporaryDirectory dir;
  const UniqueFd file(::open((dir.path() / "f").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  EXPECT_NE(refusal(file.get(), 0), "accepted");
  EXPECT_NE(refusal(null.get(), 0), "accepted");
  EXPECT_NE(refusal(-1, 0), "accepted");
}

TEST(Seals, SealedMemoryRefusesEveryChange) {
  const UniqueFd fd = memory(0);
  seal(fd.get(), "test");
  EXPECT_EQ(refusal(fd.get()), "accepted");
  EXPECT_EQ(::pwrite(fd.get(), "x", 1, 0), -1);
  EXPECT_EQ(errno, EPERM);
  EXPECT_EQ(::ftruncate(fd.get(), 0), -1);
  EXPECT_EQ(::ftruncate(fd.get(), 2 * kLength), -1);
  EXPECT_EQ(::mmap(nullptr, kLength, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0), MAP_FAILED);
  EXPECT_EQ(::fallocate(fd.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
}

TEST(Seals, AWritableMappingPreventsSealing) {
  const UniqueFd fd = memory(0);
  void* const p = ::mmap(nullptr, kLength, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  ASSERT_NE(p, MAP_FAILED);
  EXPECT_THROW(seal(fd.get(), "test", std::chrono::milliseconds(20)), RunError);
  ::munmap(p, kLength);
  EXPECT_NO_THROW(seal(fd.get(), "test"));
}

// A page in a pipe is a page in use: longer than the kernel waits by itself.
TEST(Seals, SealingWaitsForPagesInUse) {
  const UniqueFd fd = memory(0);
  ASSERT_EQ(::pwrite(fd.get(), "x", 1, 0), 1);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  UniqueFd out(ends[0]), in(ends[1]);
  loff_t offset = 0;
  ASSERT_EQ(::splice(fd.get(), &offset, in.get(), nullptr, 4096, 0), 4096);
  EXPECT_THROW(seal(fd.get(), "test", std::chrono::milliseconds(0)), RunError);
  std::jthread reader([&out, &in] {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    out.reset();
    in.reset();
  });
  EXPECT_NO_THROW(seal(fd.get(), "test"));
  EXPECT_EQ(refusal(fd.get()), "accepted");
}

}  // namespace
}  // namespace missive::cache
