#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include <sys/mman.h>
#include <sys/resource.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "real/domains/attacks.h"
#include "real/domains/domain.h"
#include "real/domains/requests.h"
#include "real/domains/service/service.h"
#include "real/process.h"

namespace missive::domains {
namespace {

using namespace std::chrono_literals;
using Bytes = std::vector<std::byte>;

Bytes words(std::initializer_list<std::uint64_t> values) {
  Bytes bytes(values.size() * 8);
  std::memcpy(bytes.data(), std::data(values), bytes.size());
  return bytes;
}

std::size_t mappings() {
  std::ifstream file("/proc/self/maps");
  std::size_t lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

std::size_t address_space() {
  std::ifstream file("/proc/self/statm");
  std::size_t pages = 0;
  file >> pages;
  return pages;
}

class Wasm : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (const auto why = mechanism(GetParam()).unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  std::unique_ptr<Domain> create(const DomainOptions& options = {}) {
    return mechanism(GetParam()).create(options);
  }
  // Expects the attack to end its domain, and a new domain to work afterwards.
  void expect_contained(Attack attack, const Bytes& argument, const char* how) {
    const auto domain = create();
    Bytes reply(4096);
    try {
      domain->call(entry_of(attack), argument, reply);
      FAIL() << "the attack came through";
    } catch (const DomainFault& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr(how));
    }
    EXPECT_THROW(domain->call(Entry::null, {}, {}), DomainFault) << "it must not be used again";
    EXPECT_EQ(create()->call(Entry::null, {}, {}), 0U);
  }
};

TEST_P(Wasm, ComputesWhatNativeCodeComputesAtEverySize) {
  DomainOptions options;
  options.max_message = 1 << 20;
  const auto domain = create(options);
  for (const Entry entry : kernels())
    for (std::size_t size = 64; size <= options.max_message; size = size * 3 / 2 + 1) {
      const Bytes request = make_request(entry, size, size);
      Bytes reply(reply_room(entry, request.size())), native(reply.size());
      const auto expected = missive_service(
          static_cast<std::int32_t>(entry), reinterpret_cast<const std::uint8_t*>(request.data()),
          request.size(), reinterpret_cast<std::uint8_t*>(native.data()), native.size());
      ASSERT_GE(expected, 0);
      ASSERT_EQ(domain->call(entry, request, reply), static_cast<std::size_t>(expected));
      EXPECT_TRUE(std::equal(reply.begin(), reply.begin() + expected, native.begin()))
          << name_of(entry) << " of " << size;
    }
}

TEST_P(Wasm, WildReadsAndWritesAreContained) {
  for (const std::uint64_t address : {0xfffffff0ULL, 0x80000000ULL, 0x40000000ULL}) {
    expect_contained(Attack::wild_read, words({address, 8}), "outside its own");
    expect_contained(Attack::wild_write, words({address, 1}), "outside its own");
  }
}

// An address of the host is 64 bits; the guest can only form the low 32 of it, in its own memory.
TEST_P(Wasm, HostMemoryCannotBeReadOrWritten) {
  const std::uint64_t secret = 0x5ec2e75ec2e75ec2;
  const volatile std::uint64_t mine = secret;
  const auto domain = create();
  Bytes reply(8);
  try {
    domain->call(entry_of(Attack::wild_read), words({reinterpret_cast<std::uint64_t>(&mine), 8}),
                 reply);
  } catch (const DomainFault&) {
  }
  std::uint64_t got;
  std::memcpy(&got, reply.data(), 8);
  EXPECT_NE(got, secret);
  try {
    create()->call(entry_of(Attack::wild_write), words({reinterpret_cast<std::uint64_t>(&mine), 1}),
                   reply);
  } catch (const DomainFault&) {
  }
  EXPECT_EQ(mine, secret);
}

TEST_P(Wasm, StackOverflowJumpsAndIllegalInstructionsAreContained) {
  // Recursion without bound overflows the module's stack, or the thread's if that comes first.
  expect_contained(Attack::stack_overflow, words({1'000'000'000}), "");
  expect_contained(Attack::wild_jump, words({0x1234}), "no function of its own");
  expect_contained(Attack::crash, {}, "unreachable");
}

TEST_P(Wasm, StackOverflowOnASmallThreadIsContained) {
  std::thread([this] {
    expect_contained(Attack::stack_overflow, words({1'000'000'000}), "");
  }).join();
}

TEST_P(Wasm, AnEndlessLoopEndsAtTheDeadlineAndNotBefore) {
  DomainOptions options;
  options.deadline = 200ms;
  for (const Attack attack : {Attack::endless_loop, Attack::never_return}) {
    const auto domain = create(options);
    const auto start = std::chrono::steady_clock::now();
    try {
      domain->call(entry_of(attack), {}, {});
      FAIL();
    } catch (const DomainFault& e) {
      EXPECT_THAT(e.what(), testing::HasSubstr("deadline"));
    }
    EXPECT_GE(std::chrono::steady_clock::now() - start, 200ms);
  }
  const auto after = create(options);
  EXPECT_EQ(after->call(Entry::null, {}, {}), 0U);
}

TEST_P(Wasm, DeadlinesOfThreadsAreTheirOwn) {
  DomainOptions brief, none;
  brief.deadline = 100ms;
  none.deadline = 0ms;
  std::atomic<bool> ended{false};
  std::thread looping([&] {
    const auto domain = create(brief);
    EXPECT_THROW(domain->call(entry_of(Attack::endless_loop), {}, {}), DomainFault);
    ended = true;
  });
  const auto domain = create(none);
  const Bytes request = make_request(Entry::hash, 60'000, 1);
  Bytes reply(32);
  do EXPECT_EQ(domain->call(Entry::hash, request, reply), 32U);
  while (!ended);
  looping.join();
}

TEST_P(Wasm, ForkedChildrenHaveDeadlinesToo) {
  create();
  const std::string answer = run_in_child(
      [this] {
        DomainOptions options;
        options.deadline = 50ms;
        try {
          create(options)->call(entry_of(Attack::endless_loop), {}, {});
        } catch (const DomainFault& e) {
          return std::string(e.what());
        }
        return std::string("came back");
      },
      20s, "the child");
  EXPECT_THAT(answer, testing::HasSubstr("deadline"));
}

TEST_P(Wasm, AMemoryHogGetsALimitedAmount) {
  const auto domain = create();
  Bytes reply(8);
  ASSERT_EQ(domain->call(entry_of(Attack::memory_hog), words({8ULL << 30}), reply), 8U);
  std::uint64_t got;
  std::memcpy(&got, reply.data(), 8);
  EXPECT_LE(got, 64ULL << 20);
  EXPECT_EQ(domain->call(Entry::null, {}, {}), 0U);
}

TEST_P(Wasm, ThereIsNoSystemCallToMake) {
  const auto domain = create();
  Bytes reply(64);
  for (const Attack attack : {Attack::open_host_file, Attack::fork_bomb, Attack::kill_parent}) {
    reply.resize(64);
    reply.resize(domain->call(entry_of(attack), words({0, 0}), reply));
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(reply.data()), reply.size()),
              "not applicable");
  }
}

TEST_P(Wasm, ALyingReplyLengthIsNotBelieved) {
  expect_contained(Attack::oversized_reply, {}, "claims a reply");
}

TEST_P(Wasm, TheCallersRequestIsOutOfReach) {
  const auto domain = create();
  const Bytes request(100, std::byte{7});
  domain->call(entry_of(Attack::corrupt_argument), request, {});
  EXPECT_EQ(request, Bytes(100, std::byte{7}));
}

TEST_P(Wasm, AThousandInstancesLeaveNoMappingBehind) {
  for (int i = 0; i < 10; ++i) create()->call(Entry::null, {}, {});
  const std::size_t before = mappings(), pages = address_space();
  for (int i = 0; i < 1000; ++i) {
    const auto domain = create();
    domain->call(Entry::null, {}, {});
    Bytes reply(8);
    if (i % 100 == 0) {
      EXPECT_THROW(domain->call(entry_of(Attack::wild_read), words({0xfffffff0, 8}), reply),
                   DomainFault);
    }
  }
  EXPECT_LE(mappings(), before + 2) << "the heap's own growth may add a mapping or two";
  EXPECT_LE(address_space(), pages + 4096) << "16 MiB";
}

TEST_P(Wasm, TwoThreadsCallTheirOwnInstances) {
  const auto work = [this](std::uint64_t seed) {
    const auto domain = create();
    const Bytes request = make_request(Entry::sort, 40'000, seed);
    Bytes first(40'000), reply(40'000);
    domain->call(Entry::sort, request, first);
    for (int i = 0; i < 50; ++i) {
      domain->call(Entry::sort, request, reply);
      ASSERT_EQ(reply, first);
      EXPECT_THROW(create()->call(entry_of(Attack::crash), {}, {}), DomainFault);
    }
  };
  std::thread other(work, 1);
  work(2);
  other.join();
}

TEST_P(Wasm, WhatOneTenantLeavesTheNextDoesNotFind) {
  Bytes marked(4096, std::byte{0xa5}), reply(4096);
  std::uint64_t at = 0;
  {  // finds where the request lies: just behind the module's own memory
    const auto domain = create();
    domain->call(Entry::sum, marked, reply);
    for (at = 0; at < (1 << 20); at += 65536) {
      domain->call(entry_of(Attack::wild_read), words({at, 4096}), reply);
      if (std::equal(marked.begin() + 16, marked.end(), reply.begin() + 16)) break;
    }
    ASSERT_LT(at, 1U << 20);
    domain->call(entry_of(Attack::memory_hog), words({1 << 20}), reply);
  }
  const auto domain = create();
  const std::size_t n = domain->call(entry_of(Attack::wild_read), words({at, 4096}), reply);
  ASSERT_EQ(n, 4096U);
  EXPECT_EQ(std::count(reply.begin() + 16, reply.end(), std::byte{0xa5}), 0);
}

TEST_P(Wasm, RefusesMessagesBeyondThirtyTwoBits) {
  DomainOptions options;
  options.max_message = std::size_t{3} << 30;
  EXPECT_THROW(create(options), InputError);
  options.max_message = ~std::size_t{0};
  EXPECT_THROW(create(options), InputError);
}

INSTANTIATE_TEST_SUITE_P(Modes, Wasm, testing::Values("wasm-guard", "wasm-bounds", "wasm-pooled"),
                         [](const auto& test) {
                           std::string name = test.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// In a child: it ends with every bit of address space taken.
TEST(WasmLimit, GuardModeSaysThatAddressSpaceIsFull) {
  const Mechanism& guard = mechanism("wasm-guard");
  if (const auto why = guard.unavailable(); !why.empty()) GTEST_SKIP() << why;
  const std::string message = run_in_child(
      [&] {
        // All but a little of it goes at once, so that few instances are enough.
        for (std::size_t size = std::size_t{1} << 46; size >= std::size_t{1} << 37; size /= 2)
          while (::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
                        0) != MAP_FAILED) {
          }
        std::vector<std::unique_ptr<Domain>> domains;
        try {
          for (int i = 0; i < 20'000; ++i) domains.push_back(guard.create({}));
        } catch (const RunError& e) {
          const std::string what = e.what();
          domains.clear();
          domains.push_back(guard.create({}));  // room again
          domains[0]->call(Entry::null, {}, {});
          return what;
        }
        return std::string("no limit met");
      },
      60s, "the child");
  EXPECT_THAT(message, testing::HasSubstr("cannot reserve 8192 MiB of address space"));
  EXPECT_THAT(message, testing::HasSubstr("the address space of this process is full"));
}

}  // namespace
}  // namespace missive::domains
