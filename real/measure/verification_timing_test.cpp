#include "real/measure/verification_timing.h"

#include <gtest/gtest.h>

#include "models/error.h"
#include "real/measure/read_memory.h"

namespace missive::measure {
namespace {

TEST(ReadMemory, EveryWidthSeesTheSameBytes) {
  std::vector<std::uint64_t> words(4 * 8 * 10);
  std::uint64_t expected = 0;
  for (std::size_t i = 0; i < words.size(); ++i) expected ^= words[i] = i * 0x9e3779b97f4a7c15;
  const auto bytes = std::as_bytes(std::span(words));
  EXPECT_EQ(read_memory(bytes, ReadWidth::words), expected);
  if (widest_read() >= ReadWidth::avx2) {
    EXPECT_EQ(read_memory(bytes, ReadWidth::avx2), expected);
  }
  if (widest_read() >= ReadWidth::avx512) {
    EXPECT_EQ(read_memory(bytes, ReadWidth::avx512), expected);
  }
}

TEST(SameDigests, FindsAnyByteThatDiffers) {
  const std::vector<std::byte> expected(5 * 16, std::byte{3});
  EXPECT_TRUE(same_digests(expected, expected, 16));
  EXPECT_TRUE(same_digests({}, {}, 16));
  EXPECT_FALSE(same_digests(std::span(expected).first(64), expected, 16));
  for (std::size_t at = 0; at < expected.size(); ++at) {
    std::vector<std::byte> found = expected;
    found[at] ^= std::byte{0x80};
    EXPECT_FALSE(same_digests(found, expected, 16)) << at;
  }
}

TEST(VerificationTimer, RunsEveryAlgorithmOverUnevenMessages) {
  VerificationTimer bench(1 << 20);
  const Bytes odd{(1 << 20) - 5};
  for (const auto& a : verify::algorithms()) {
    if (!verify::unavailable(a).empty()) continue;
    for (std::uint64_t threads = 1; threads <= 2; ++threads) {
      if (threads > static_cast<std::uint64_t>(usable_cpus())) continue;
      for (const std::uint64_t message : {std::uint64_t{4096}, std::uint64_t{65536}, odd.count})
        for (const std::uint64_t degree : {0ull, 16ull}) {
          VerificationWork work{a.name, odd, message, threads, Residency::cache};
          work.degree = degree;
          work.digest_bytes = a.digest_bytes;
          EXPECT_GT(bench.run(work), 0) << a.name;
          EXPECT_GT(bench.run(work), 0) << a.name;
        }
    }
  }
  EXPECT_GT(bench.run({"read", odd, 0}), 0);
  EXPECT_GT(bench.run({"copy", odd, 0}), 0);
}

TEST(VerificationTimer, RefusesMoreThreadsThanCpusAndUnknownAlgorithms) {
  VerificationTimer bench(65536);
  VerificationWork work{"sha256", {65536}, 4096, static_cast<std::uint64_t>(usable_cpus()) + 1};
  EXPECT_THROW(bench.run(work), NotAvailable);
  EXPECT_THROW(bench.run({"sha255", {65536}, 4096}), InputError);
}

}  // namespace
}  // namespace missive::measure
