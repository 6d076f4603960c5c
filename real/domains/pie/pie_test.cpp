#include "real/domains/pie/pie.h"

#include <csignal>
#include <cstring>
#include <fstream>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "models/error.h"
#include "real/domains/attacks.h"
#include "real/domains/pie/guest/link.h"
#include "real/domains/resources_testing.h"
#include "real/process.h"

namespace missive::domains::pie {
namespace {

using testing::HasSubstr;
using testing_resources::count_fds;
using testing_resources::count_maps;
using testing_resources::map_limit;
using testing_resources::use_up_maps;
using Bytes = std::vector<std::byte>;

constexpr Entry kProbe = static_cast<Entry>(MISSIVE_PIE_PROBE);
constexpr Entry kExit = static_cast<Entry>(MISSIVE_PIE_EXIT);

missive_pie_probe probe(Domain& domain) {
  missive_pie_probe told;
  EXPECT_EQ(domain.call(kProbe, {}, std::as_writable_bytes(std::span(&told, 1))), sizeof told);
  return told;
}

// What holds for static and for dynamic programs.
class EitherPie : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (const auto why = mechanism(GetParam()).unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  static std::unique_ptr<Domain> create(const DomainOptions& options = {}) {
    return mechanism(GetParam()).create(options);
  }
};

INSTANTIATE_TEST_SUITE_P(Mechanisms, EitherPie, testing::Values("pie", "pie-dynamic"),
                         [](const auto& each) {
                           return std::string(each.param == "pie" ? "pie" : "pie_dynamic");
                         });

class Pie : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = mechanism("pie").unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  static std::unique_ptr<Domain> create(const DomainOptions& options = {}) {
    return mechanism("pie").create(options);
  }
};

TEST_P(EitherPie, ClaimsNoBoundary) {
  const Containment claims = mechanism(GetParam()).claims;
  EXPECT_FALSE(claims.memory || claims.control || claims.time || claims.system_calls ||
               claims.space);
  EXPECT_TRUE(mechanism(GetParam()).same_process);
}

TEST_P(EitherPie, TheProgramsOwnLibraryHasStarted) {
  const auto domain = create();
  const missive_pie_probe told = probe(*domain);
  EXPECT_STREQ(told.text, "pie-domain at 1") << "argc, argv and snprintf()";
  EXPECT_EQ(told.calls, 1U);
  EXPECT_EQ(told.thread_calls, 1001U) << "initialised thread-local data";
  EXPECT_EQ(told.zero_page_bytes, 0U);
}

TEST_P(EitherPie, DomainsHaveTheirOwnGlobalsThreadLocalsAndHeap) {
  const auto first = create(), second = create();
  for (int i = 0; i < 5; ++i) probe(*first);
  const missive_pie_probe a = probe(*first), b = probe(*second);
  EXPECT_EQ(a.calls, 6U);
  EXPECT_EQ(a.thread_calls, 1006U);
  EXPECT_EQ(b.calls, 1U);
  EXPECT_EQ(b.thread_calls, 1001U);
  EXPECT_NE(a.global_address, b.global_address);
  EXPECT_NE(a.thread_address, b.thread_address);
  EXPECT_NE(a.heap_address, b.heap_address);
}

// A slot used before must look like a new one.
TEST_F(Pie, ADomainInAnothersPlaceStartsAfresh) {
  const auto keeps_the_pool = create();
  auto first = create();
  for (int i = 0; i < 5; ++i) probe(*first);
  const missive_pie_probe before = probe(*first);
  first.reset();
  const auto second = create();
  const missive_pie_probe after = probe(*second);
  EXPECT_EQ(before.global_address, after.global_address) << "the same place";
  EXPECT_EQ(after.calls, 1U);
  EXPECT_EQ(after.zero_page_bytes, 0U);
}

TEST_P(EitherPie, TheHostsThreadPointerAndHeapAreUnharmed) {
  static thread_local int mine = 5;
  int* const before = &mine;
  const auto warm = create();  // the host's own allocations are made with the first
  void* const heap_end = ::sbrk(0);
  const auto domain = create();
  for (int i = 0; i < 100; ++i) {
    probe(*domain);
    ASSERT_EQ(before, &mine);
  }
  EXPECT_EQ(mine, 5);
  EXPECT_EQ(::sbrk(0), heap_end) << "the guest's brk() is its own";
}

TEST_P(EitherPie, AnyThreadMayCall) {
  const auto domain = create();
  for (int i = 0; i < 3; ++i)
    std::thread([&] {
      const missive_pie_probe told = probe(*domain);
      EXPECT_EQ(told.calls, static_cast<std::uint64_t>(i) + 1);
    }).join();
  std::thread([] { probe(*create()); }).join();
  EXPECT_EQ(probe(*domain).calls, 4U);
}

TEST_P(EitherPie, ThreadsCreateCallAndDestroyAtOnce) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 100; ++i) {
        const auto one = create(), two = create();
        EXPECT_EQ(probe(*one).calls, 1U);
        EXPECT_EQ(probe(*two).calls, 1U);
      }
    });
  for (std::thread& t : threads) t.join();
}

TEST_P(EitherPie, ADomainThatExitsIsAFaultAndTheHostLives) {
  const auto domain = create(), other = create();
  const std::byte status{7};
  Bytes reply(8);
  try {
    domain->call(kExit, {&status, 1}, reply);
    FAIL();
  } catch (const DomainFault& e) {
    EXPECT_THAT(e.what(), HasSubstr("exit status 7"));
  }
  EXPECT_THROW(domain->call(Entry::null, {}, reply), DomainFault) << "it stays unusable";
  EXPECT_EQ(probe(*other).calls, 1U);
}

TEST_P(EitherPie, AFaultOfTheGuestsOwnCodeEndsTheDomainOnly) {
  struct {
    Attack attack;
    const char* signal;
  } const faults[] = {{Attack::crash, "signal 4"}, {Attack::wild_write, "signal 11"}};
  const auto other = create();
  const std::uint64_t nowhere[] = {64, 0};
  for (const auto& each : faults) {
    const auto domain = create();
    try {
      domain->call(entry_of(each.attack), std::as_bytes(std::span(nowhere)), {});
      FAIL();
    } catch (const DomainFault& e) {
      EXPECT_THAT(e.what(), HasSubstr(each.signal));
    }
    EXPECT_THROW(domain->call(Entry::null, {}, {}), DomainFault);
    EXPECT_GT(probe(*other).calls, 0U);
  }
}

TEST_P(EitherPie, AnEndlessLoopOrSleepEndsWithTheDeadline) {
  static thread_local int mine = 5;
  for (const Attack attack : {Attack::endless_loop, Attack::never_return}) {
    DomainOptions options;
    options.deadline = std::chrono::milliseconds(60);
    const auto domain = create(options), other = create(options);
    Bytes reply(8);
    try {
      domain->call(entry_of(attack), {}, reply);
      FAIL();
    } catch (const DomainFault& e) {
      EXPECT_THAT(e.what(), HasSubstr("ended during a call, by the deadline"));
    }
    EXPECT_EQ(mine, 5);
    EXPECT_THROW(domain->call(Entry::null, {}, reply), DomainFault);
    EXPECT_EQ(probe(*other).calls, 1U);
  }
}

TEST_P(EitherPie, AChildOfForkMayUseDomainsToo) {
  const auto domain = create();
  probe(*domain);
  const std::string told = run_in_child(
      [&] { return std::to_string(probe(*domain).calls) + std::to_string(probe(*create()).calls); },
      std::chrono::seconds(20), "pie test");
  EXPECT_EQ(told, "21");
  EXPECT_EQ(probe(*domain).calls, 2U) << "the child's memory was its own";
}

volatile std::sig_atomic_t signals_seen = 0;
void on_alarm(int) {
  // A system call and a return from the signal, both from outside the guest.
  if (::syscall(SYS_getppid) > 0) signals_seen = signals_seen + 1;
}

TEST_P(EitherPie, SignalsOfTheHostArriveWhileAGuestRuns) {
  struct sigaction action {};
  action.sa_handler = on_alarm;
  struct sigaction before;
  ASSERT_EQ(::sigaction(SIGALRM, &action, &before), 0);
  signals_seen = 0;
  const itimerval often{{0, 500}, {0, 500}}, never{};
  const auto domain = create();
  Bytes request(60'000, std::byte{1}), reply(32);
  ::setitimer(ITIMER_REAL, &often, nullptr);
  for (int i = 0; i < 20'000 && signals_seen < 20; ++i) domain->call(Entry::hash, request, reply);
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  EXPECT_GE(signals_seen, 20);
}

TEST_F(Pie, ThousandsOfDomainsTakeFewMapEntriesAndLeaveNone) {
  Bytes reply(8);
  create()->call(Entry::null, {}, reply);
  std::vector<std::unique_ptr<Domain>> domains;
  domains.reserve(5000);
  const std::size_t maps = count_maps(), fds = count_fds();
  EXPECT_EQ(count_maps("missive-pie"), 0U);
  for (int i = 0; i < 5000; ++i) {
    domains.push_back(create());
    ASSERT_EQ(domains.back()->call(Entry::sum, {}, reply), 8U);
  }
  EXPECT_LT(count_maps() - maps, 5000U / 10);
  EXPECT_EQ(count_fds(), fds + 1);
  for (auto& domain : domains) ASSERT_EQ(domain->call(Entry::sum, {}, reply), 8U);
  for (std::size_t i = 0; i < 5000; i += 2) domains[i].reset();
  for (std::size_t i = 0; i < 5000; i += 2) domains[i] = create();
  domains.clear();
  EXPECT_EQ(count_maps("missive-pie"), 0U);
  EXPECT_EQ(count_fds(), fds);
  EXPECT_LE(count_maps(), maps + 4) << "the test's own heap may have grown";
}

// The kernel's limit stays as it is; the process runs into it, and the message says what to raise.
TEST_F(Pie, TheMapLimitIsNamedWithTheValueNeeded) {
  const std::size_t limit = map_limit();
  if (limit > 300'000) GTEST_SKIP() << "vm.max_map_count is " << limit << ": too many to use up";
  const std::string told = run_in_child(
      [] {
        use_up_maps(60);  // the last ones are this process's own heap's
        std::vector<std::unique_ptr<Domain>> domains;
        domains.reserve(2000);
        try {
          while (domains.size() < 2000) domains.push_back(create());
        } catch (const RunError& e) {
          Bytes reply(8);
          for (auto& domain : domains) domain->call(Entry::sum, {}, reply);
          return std::string(e.what());
        }
        return std::string("no limit met");
      },
      std::chrono::seconds(60), "pie test");
  EXPECT_THAT(told, HasSubstr("vm.max_map_count allows " + std::to_string(limit)));
  EXPECT_THAT(told, HasSubstr("sysctl vm.max_map_count="));
}

TEST_F(Pie, AProgramThatIsNoServiceIsRefusedWithItsExitStatus) {
  const auto image = built_in_image();
  Bytes file(image.begin(), image.end());
  // `exit_group(42)` where the program begins.
  const Program program = read_elf(file, "other.elf");
  const unsigned char code[] = {0xbf, 42, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05};
  std::memcpy(file.data() + program.entry, code, sizeof code);
  const std::size_t fds = count_fds();
  try {
    start(std::make_shared<Pool>(file, "other.elf"), {});
    FAIL();
  } catch (const RunError& e) {
    EXPECT_THAT(e.what(), HasSubstr("other.elf: the program ended by exit status 42"));
  }
  EXPECT_EQ(count_fds(), fds);
  EXPECT_EQ(count_maps("missive-pie"), 0U);
}

TEST_P(EitherPie, LargeAllocationsOfAGuestGoWithIt) {
  auto domain = create();
  const std::size_t maps = count_maps();
  for (int i = 0; i < 50; ++i) probe(*domain);  // malloc() and free() of 256 KiB each
  EXPECT_LE(count_maps(), maps + 2);
}

}  // namespace
}  // namespace missive::domains::pie
