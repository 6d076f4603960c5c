#include "models/verification.h"

#include <gtest/gtest.h>

#include "models/error.h"

namespace missive {
namespace {

Parameter value(double v) {
  Parameter p;
  p.value = p.low = p.high = v;
  p.unit = "s/byte";
  p.provenance = Provenance::measured;
  p.source = "test";
  p.date = "2026-01-01";
  return p;
}

// A message costs 100 ns, a byte 0.1 ns in memory and 0.05 ns in the cache.
double byte_cost(std::uint64_t size, Residency r) {
  return 100e-9 / static_cast<double>(size) + (r == Residency::memory ? 0.1e-9 : 0.05e-9);
}

ParameterSet affine() {
  ParameterSet set;
  for (const std::string algorithm : {"a", "b"})
    for (const Residency r : {Residency::memory, Residency::cache}) {
      const double factor = algorithm == "b" ? 3 : 1;
      for (const std::uint64_t size : kMessageSizes)
        set.set(verify_parameter(algorithm, size, r), value(factor * byte_cost(size, r)));
      for (const std::uint64_t size : kShortSizes)
        set.set(verify_parameter(algorithm, size, r), value(factor * byte_cost(size, r)));
    }
  set.set("verify.read.memory.byte_s", value(0.04e-9));
  set.set("verify.read.all.byte_s", value(0.08e-9));
  set.set("verify.team.call_s", value(1e-6));
  return set;
}

TEST(Verification, InterpolatesWhatFadesWithTheMessageSize) {
  const ParameterSet set = affine();
  for (const std::uint64_t size : {4096ull, 16384ull, 65536ull}) {
    const double truth = 1e8 * byte_cost(size, Residency::memory);
    EXPECT_NEAR(predict({"a", {100'000'000}, size}, set).seconds, truth, truth * 0.03) << size;
  }
  const double short_truth = 1e6 * byte_cost(64, Residency::cache);
  EXPECT_NEAR(predict({"a", {1'000'000}, 64, 1, Residency::cache}, set).seconds, short_truth,
              short_truth * 0.02);
}

TEST(Verification, IsExactAtACalibratedSizeAndConstantBeyondTheEnds) {
  const ParameterSet set = affine();
  EXPECT_DOUBLE_EQ(predict({"a", {1000}, 8192}, set).seconds,
                   1000 * byte_cost(8192, Residency::memory));
  EXPECT_DOUBLE_EQ(predict({"a", {1'000'000'000}, 1'000'000'000}, set).seconds,
                   1e9 * byte_cost(4194304, Residency::memory));
}

TEST(Verification, CoresShareTheWorkUntilMemoryIsTheLimit) {
  const ParameterSet set = affine();
  const double one = predict({"b", {100'000'000}, 8192}, set).seconds;
  EXPECT_NEAR(predict({"b", {100'000'000}, 8192, 2}, set).seconds, one / 2 + 1e-6, 1e-9);
  // "a" on four cores would be quicker than all of them can read.
  EXPECT_NEAR(predict({"a", {100'000'000}, 8192, 4}, set).seconds, 1e8 * 0.08e-9 + 1e-6, 1e-9);
  // What is in the caches does not wait for memory.
  const double cached = predict({"a", {1'000'000}, 8192, 1, Residency::cache}, set).seconds;
  EXPECT_NEAR(predict({"a", {1'000'000}, 8192, 4, Residency::cache}, set).seconds,
              cached / 4 + 1e-6, 1e-9);
}

TEST(Verification, ReadingDoesNotDependOnMessages) {
  const ParameterSet set = affine();
  EXPECT_DOUBLE_EQ(predict({"read", {1'000'000}, 0}, set).seconds, 1e6 * 0.04e-9);
  EXPECT_NEAR(predict({"read", {100'000'000}, 0, 2}, set).seconds, 1e8 * 0.08e-9 + 1e-6, 1e-12);
}

TEST(Verification, ATreeAddsItsInnerNodes) {
  EXPECT_EQ(inner_nodes_of(1, 128, 32).nodes, 0u);
  EXPECT_EQ(inner_nodes_of(25'600, 128, 32).nodes, 200u + 2 + 1);
  EXPECT_EQ(inner_nodes_of(25'600, 128, 32).bytes, (25'600u + 200 + 2) * 32);
  EXPECT_THROW(inner_nodes_of(2, 1, 32), std::invalid_argument);
  const ParameterSet set = affine();
  VerificationWork work{"a", {100 << 20}, 4096};
  const double leaves = predict(work, set).seconds;
  work.degree = 128;
  work.digest_bytes = 32;
  const InnerNodes inner = inner_nodes_of(25'600, 128, 32);
  const double more =
      static_cast<double>(inner.bytes) * byte_cost(inner.bytes / inner.nodes, Residency::cache);
  EXPECT_NEAR(predict(work, set).seconds - leaves, more, more * 0.03);
}

TEST(Verification, LongMessagesMayBeAnotherAlgorithmsWork) {
  const ParameterSet set = affine();
  VerificationWork work{"a", {1 << 20}, 65536};
  work.other_from = 65535;
  work.other = "b";
  EXPECT_DOUBLE_EQ(predict(work, set).seconds, predict({"b", {1 << 20}, 65536}, set).seconds);
  // Below, nothing is interpolated towards sizes where it is the other's.
  work.message = 60000;
  EXPECT_DOUBLE_EQ(predict(work, set).seconds,
                   static_cast<double>(1 << 20) * byte_cost(32768, Residency::memory));
}

TEST(Verification, NamesTheParametersItRead) {
  const auto cost = predict({"a", {1000}, 4096}, affine());
  EXPECT_EQ(cost.parameters, (std::vector<std::string>{"verify.a.2048.memory.byte_s",
                                                       "verify.a.8192.memory.byte_s"}));
  EXPECT_THROW(predict({"c", {1000}, 4096}, affine()), InputError);
}

}  // namespace
}  // namespace missive
