#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/random.h"
#include "real/domains/attacks.h"
#include "real/domains/domain.h"
#include "real/domains/requests.h"
#include "real/domains/service/service.h"

namespace missive::domains {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::byte>;

Bytes words(std::initializer_list<std::uint64_t> values) {
  Bytes bytes(values.size() * 8);
  std::memcpy(bytes.data(), std::data(values), bytes.size());
  return bytes;
}

class SafeRust : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = mechanism("safe-rust").unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  static std::unique_ptr<Domain> create(const DomainOptions& options = {}) {
    return mechanism("safe-rust").create(options);
  }
  static void expect_same_as_c(Domain& domain, Entry entry, const Bytes& request,
                               std::size_t room) {
    Bytes reply(room), native(room);
    const auto expected = missive_service(
        static_cast<std::int32_t>(entry), reinterpret_cast<const std::uint8_t*>(request.data()),
        request.size(), reinterpret_cast<std::uint8_t*>(native.data()), room);
    const std::string what = std::string(name_of(entry)) + " of " + std::to_string(request.size()) +
                             " in " + std::to_string(room);
    if (expected < 0) {
      EXPECT_THROW(domain.call(entry, request, reply), InputError) << what;
      return;
    }
    ASSERT_EQ(domain.call(entry, request, reply), static_cast<std::size_t>(expected)) << what;
    EXPECT_TRUE(std::equal(native.begin(), native.begin() + expected, reply.begin())) << what;
  }
  static void expect_contained(Attack attack, const Bytes& argument, const char* how) {
    const auto domain = create();
    Bytes reply(4096);
    try {
      domain->call(entry_of(attack), argument, reply);
      FAIL() << "the attack came through";
    } catch (const DomainFault& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr(how));
    }
    EXPECT_THROW(domain->call(Entry::null, {}, {}), DomainFault);
    EXPECT_EQ(create()->call(Entry::null, {}, {}), 0U);
  }
};

TEST_F(SafeRust, ComputesWhatTheServiceInCComputes) {
  DomainOptions options;
  options.max_message = 1 << 20;
  const auto domain = create(options);
  for (const Entry entry : kernels())
    for (std::size_t size = 64; size <= options.max_message; size = size * 3 / 2 + 1) {
      const Bytes request = make_request(entry, size, size);
      expect_same_as_c(*domain, entry, request, reply_room(entry, request.size()));
    }
}

// What no client would send: any bytes, any length, any room for the reply.
TEST_F(SafeRust, AnswersAndRefusesHostileRequestsAsTheServiceInCDoes) {
  const auto domain = create();
  Random random(5);
  for (int i = 0; i < 20'000; ++i) {
    const auto entry = kernels()[random.below(kernels().size())];
    Bytes request(random.below(300));
    // Few different bytes, so that brackets, quotes, zeros and small indices are frequent.
    static constexpr char kBytes[] = "{}[]\"\\-0e \0\1\2a";
    for (auto& b : request) b = static_cast<std::byte>(kBytes[random.below(sizeof kBytes - 1)]);
    expect_same_as_c(*domain, entry, request, random.below(400));
  }
}

TEST_F(SafeRust, SortsWhatMakesQuicksortQuadraticAsTheServiceInCDoes) {
  const auto domain = create();
  constexpr std::uint32_t n = 16'000;
  for (const int shape : {0, 1, 2, 3}) {
    std::vector<std::uint32_t> v(n);
    for (std::uint32_t i = 0; i < n; ++i)
      v[i] = shape == 0 ? i : shape == 1 ? n - i : shape == 2 ? 7 : std::min(i, n - i);
    Bytes request(4 * n);
    std::memcpy(request.data(), v.data(), request.size());
    expect_same_as_c(*domain, Entry::sort, request, request.size());
  }
}

TEST_F(SafeRust, AnIndexOutOfBoundsIsContained) {
  for (const std::uint64_t at : {std::uint64_t{16}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
    expect_contained(Attack::wild_read, words({at, 8}), "panicked in line");
    expect_contained(Attack::wild_write, words({at == 16 ? 4096 : at, 8}), "panicked in line");
  }
  expect_contained(Attack::crash, {}, "panicked in line");
}

TEST_F(SafeRust, StackOverflowIsContainedOnAnyThread) {
  const auto overflow = [] {
    expect_contained(Attack::stack_overflow, words({1'000'000'000}), "overflowed the stack");
  };
  overflow();
  std::thread(overflow).join();
}

TEST_F(SafeRust, StackOverflowIsContainedAlsoWhereAnotherMechanismHandledSignalsMeanwhile) {
  const Mechanism& pie = mechanism("pie");
  if (const auto why = pie.unavailable(); !why.empty()) GTEST_SKIP() << why;
  std::thread([&] {
    auto other = pie.create({});
    other->call(Entry::null, {}, {});
    create()->call(Entry::null, {}, {});
    other.reset();
    expect_contained(Attack::stack_overflow, words({1'000'000'000}), "overflowed the stack");
  }).join();
}

TEST_F(SafeRust, AnEndlessLoopEndsAtTheDeadline) {
  DomainOptions options;
  options.deadline = 100ms;
  const auto domain = create(options);
  try {
    domain->call(entry_of(Attack::endless_loop), {}, {});
    FAIL();
  } catch (const DomainFault& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("deadline"));
  }
}

TEST_F(SafeRust, HasNoWordsForSystemCallsMemoryOrJumps) {
  const auto domain = create();
  for (const Attack attack :
       {Attack::wild_jump, Attack::memory_hog, Attack::fork_bomb, Attack::open_host_file,
        Attack::kill_parent, Attack::corrupt_argument}) {
    Bytes reply(64);
    reply.resize(domain->call(entry_of(attack), words({1, 2}), reply));
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(reply.data()), reply.size()),
              "not applicable");
  }
}

TEST_F(SafeRust, ALyingReplyLengthIsNotBelieved) {
  expect_contained(Attack::oversized_reply, {}, "claims a reply");
}

TEST_F(SafeRust, OverlappingRequestAndReplyAreRefused) {
  DomainOptions options;
  options.shared_bytes = 4096;
  const auto domain = create(options);
  const auto shared = domain->shared();
  EXPECT_THROW(domain->call(Entry::sort, shared.first(100), shared.subspan(96, 200)), InputError);
  EXPECT_EQ(domain->call(Entry::sort, shared.first(100), shared.subspan(100, 200)), 100U);
}

TEST_F(SafeRust, ThousandsOfPanicsOnTwoThreadsLeaveNothingLocked) {
  const auto work = [] {
    for (int i = 0; i < 5000; ++i)
      EXPECT_THROW(create()->call(entry_of(Attack::crash), {}, {}), DomainFault);
  };
  std::thread other(work);
  work();
  other.join();
  EXPECT_EQ(create()->call(Entry::null, {}, {}), 0U);
}

}  // namespace
}  // namespace missive::domains
