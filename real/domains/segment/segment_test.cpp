// What is particular to segments: strays are caught, hostile code is not.

#include <chrono>
#include <cstring>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models/error.h"
#include "models/isolation.h"
#include "real/domains/attack_matrix.h"
#include "real/domains/resources_testing.h"
#include "real/domains/segment/descriptor_table.h"
#include "real/domains/segment/guest/segment.h"
#include "real/process.h"

namespace missive::domains::segment {
namespace {

using testing::HasSubstr;
using testing_resources::count_maps;
using Bytes = std::vector<std::byte>;

constexpr Entry kSpoil = static_cast<Entry>(MISSIVE_SEGMENT_SPOIL);

Entry stray(Attack attack) {
  return static_cast<Entry>(static_cast<int>(attack) - 100 + MISSIVE_SEGMENT_STRAY);
}

Bytes words(std::initializer_list<std::uint64_t> values) {
  Bytes bytes(values.size() * 8);
  std::memcpy(bytes.data(), std::data(values), bytes.size());
  return bytes;
}

class Segment : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = mechanism("segment").unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  static std::unique_ptr<Domain> create(const DomainOptions& options = {}) {
    return mechanism("segment").create(options);
  }
  static bool answers(Domain& domain) {
    Bytes reply(8);
    const Bytes request(100, std::byte{2});
    return domain.call(Entry::sum, request, reply) == 8 && reply[0] == std::byte{200};
  }
  static std::string fault(Domain& domain, Entry entry, const Bytes& request) {
    Bytes reply(256);
    try {
      domain.call(entry, request, reply);
    } catch (const DomainFault& e) {
      return e.what();
    }
    return "no fault";
  }
};

TEST_F(Segment, ClaimsNothing) {
  const Containment c = mechanism("segment").claims;
  EXPECT_FALSE(c.memory || c.control || c.time || c.system_calls || c.space);
}

TEST_F(Segment, TheProcessorHoldsStrayCodeToTheLimit) {
  static volatile std::uint64_t precious = 7;
  const auto address = reinterpret_cast<std::uintptr_t>(&precious);
  const auto bystander = create();
  const struct {
    Attack attack;
    Bytes argument;
  } strays[] = {{Attack::wild_read, words({address, 8})},
                {Attack::wild_write, words({address, 0})},
                {Attack::wild_write, words({0xffffffff, 0})},
                {Attack::wild_write, words({16, 0})},  // a null pointer's member
                {Attack::wild_write, words({MISSIVE_SEGMENT_IMAGE, 0})},
                {Attack::wild_jump, words({0xf0000000})},
                {Attack::stack_overflow, words({1 << 30})},
                {Attack::memory_hog, words({1 << 30})}};
  for (const auto& each : strays) {
    const auto domain = create();
    EXPECT_TRUE(answers(*domain));
    EXPECT_THAT(fault(*domain, stray(each.attack), each.argument),
                HasSubstr("touched memory outside its own"))
        << static_cast<int>(each.attack);
    EXPECT_THROW(answers(*domain), DomainFault) << "it stays unusable";
    EXPECT_TRUE(answers(*bystander));
  }
  EXPECT_EQ(precious, 7U);
}

TEST_F(Segment, AnInstructionThatCannotBeExecutedEndsTheDomainOnly) {
  const auto domain = create();
  EXPECT_THAT(fault(*domain, stray(Attack::crash), {}), HasSubstr("cannot be executed"));
  EXPECT_TRUE(answers(*create()));
}

TEST_F(Segment, AnEndlessLoopEndsWithTheDeadline) {
  DomainOptions options;
  options.deadline = std::chrono::milliseconds(50);
  const auto domain = create(options);
  EXPECT_THAT(fault(*domain, stray(Attack::endless_loop), {}), HasSubstr("deadline"));
}

// The same with one far jump first: why nothing is claimed.
TEST_F(Segment, AHostileGuestLeaves) {
  AttackOptions options;
  options.only = {Attack::wild_read, Attack::wild_write, Attack::wild_jump, Attack::open_host_file};
  for (const AttackOutcome& o : attack_matrix(mechanism("segment"), options).outcomes)
    EXPECT_EQ(o.verdict, Verdict::not_contained) << static_cast<int>(o.attack) << o.evidence;
}

thread_local int mine = 5;

TEST_F(Segment, WhatTheGuestLoadsIntoFsAndGsIsNotTheHosts) {
  int* const before = &mine;
  const auto keeps = create(), strays = create();
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(keeps->call(kSpoil, {}, {}), 0U);
    ASSERT_EQ(&mine, before);
  }
  EXPECT_THAT(fault(*strays, kSpoil, words({1})), HasSubstr("outside its own"));
  ASSERT_EQ(&mine, before);
  EXPECT_EQ(mine, 5);
  EXPECT_TRUE(answers(*keeps));
}

TEST_F(Segment, AnyThreadAndAChildOfForkMayCall) {
  const auto domain = create();
  for (int i = 0; i < 3; ++i) std::thread([&] { EXPECT_TRUE(answers(*domain)); }).join();
  const std::string told = run_in_child(
      [&] { return std::string(answers(*domain) && answers(*create()) ? "yes" : "no"); },
      std::chrono::seconds(20), "segment test");
  EXPECT_EQ(told, "yes");
}

TEST_F(Segment, ThreadsCreateCallAndDestroyAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 50; ++i) {
        const auto one = create(), two = create();
        EXPECT_TRUE(answers(*one) && answers(*two));
      }
    });
  for (std::thread& t : threads) t.join();
}

TEST_F(Segment, TheTableOfSegmentsHasAnEndThatIsNamed) {
  DomainOptions options;
  options.max_message = 4096;
  const std::size_t maps = count_maps();
  std::vector<std::unique_ptr<Domain>> domains;
  domains.reserve(kEntries);
  try {
    while (domains.size() < kEntries) domains.push_back(create(options));
    FAIL() << "no limit met";
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("local descriptor table is full: 8192 entries"));
  }
  EXPECT_EQ(domains.size(), kEntries / 2);
  EXPECT_NEAR(static_cast<double>(count_maps() - maps) / kEntries * 2,
              domain_footprint("segment")->maps, 0.1);
  EXPECT_TRUE(answers(*domains.front()) && answers(*domains.back()));
  domains.clear();
  EXPECT_LE(count_maps(), maps + 4) << "the test's own heap may have grown";
  EXPECT_TRUE(answers(*create()));
}

TEST_F(Segment, MoreThanItsAddressSpaceIsRefused) {
  DomainOptions options;
  options.max_message = std::size_t{1} << 30;
  EXPECT_THROW(create(options), InputError);
  options.max_message = 500 << 20;
  EXPECT_THROW(
      {
        const auto a = create(options);
        const auto b = create(options);
      },
      RunError);
}

}  // namespace
}  // namespace missive::domains::segment
