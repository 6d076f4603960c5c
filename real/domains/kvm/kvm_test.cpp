// What the microVM promises beyond what every mechanism does (mechanisms_test.cpp): faults and
// endless loops of a guest end the guest alone, and nothing of it stays.

#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "real/domains/attacks.h"
#include "real/domains/domain.h"
#include "real/domains/kvm/guest/mailbox.h"
#include "real/domains/kvm/machine.h"
#include "real/domains/resources_testing.h"
#include "real/process.h"

namespace missive::domains {
namespace {

using testing::HasSubstr;
using testing_resources::count_fds;
using testing_resources::count_maps;
using testing_resources::map_limit;
using testing_resources::use_up_maps;
using Bytes = std::vector<std::byte>;

Bytes words(std::initializer_list<std::uint64_t> values) {
  Bytes bytes(values.size() * 8);
  std::size_t at = 0;
  for (const std::uint64_t v : values) std::memcpy(bytes.data() + 8 * at++, &v, 8);
  return bytes;
}

class Kvm : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto why = mechanism("kvm").unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  static std::unique_ptr<Domain> create(const DomainOptions& options = {}) {
    return mechanism("kvm").create(options);
  }
  // The message of the DomainFault that the attack must end in; the domain must then be dead, and
  // another one unharmed.
  static std::string fault_of(Attack attack, const Bytes& argument,
                              const DomainOptions& options = {}) {
    const auto victim = create(options), other = create();
    Bytes reply(64);
    std::string told = "no fault";
    try {
      victim->call(entry_of(attack), argument, reply);
    } catch (const DomainFault& e) {
      told = e.what();
    }
    EXPECT_THROW(victim->call(Entry::null, {}, reply), DomainFault) << "a fault is final";
    EXPECT_EQ(other->call(Entry::sum, {}, reply), 8U);
    return told;
  }
};

TEST_F(Kvm, ClaimsToContainEverything) {
  const Containment claims = mechanism("kvm").claims;
  EXPECT_TRUE(claims.memory && claims.control && claims.time && claims.system_calls &&
              claims.space);
}

TEST_F(Kvm, SaysWhenTheHostIsItselfAVirtualMachine) {
  std::ifstream info("/proc/cpuinfo");
  const std::string text{std::istreambuf_iterator<char>(info), {}};
  const bool guest = text.find(" hypervisor") != std::string::npos;
  EXPECT_EQ(mechanism("kvm").what.find("virtual machine") != std::string::npos &&
                mechanism("kvm").what.find("this host is") != std::string::npos,
            guest);
}

TEST_F(Kvm, AGuestCannotReachTheHostsMemory) {
  std::uint64_t secret = 0x5ec2e7;
  const auto address = reinterpret_cast<std::uint64_t>(&secret);
  EXPECT_THAT(fault_of(Attack::wild_read, words({address, 8})), HasSubstr("the guest"));
  EXPECT_THAT(fault_of(Attack::wild_write, words({address, 1})), HasSubstr("the guest"));
  EXPECT_EQ(secret, 0x5ec2e7U);
}

TEST_F(Kvm, AGuestsPageTablesAndNullPointerAreOutOfItsReach) {
  for (const std::uint64_t address : {0x0ull, 0x1000ull, 0x2008ull, 0x1ffff8ull}) {
    EXPECT_THAT(fault_of(Attack::wild_read, words({address, 8})), HasSubstr("triple fault"));
    EXPECT_THAT(fault_of(Attack::wild_write, words({address, 7})), HasSubstr("triple fault"));
  }
}

TEST_F(Kvm, AddressesBehindItsMemoryFault) {
  for (const std::uint64_t address : {0x3ffff0ull, 0x400000ull, 0x40000000ull, 0xfee00000ull,
                                      0x7fffffffffffull, 0xffff800000000000ull})
    EXPECT_THAT(fault_of(Attack::wild_write, words({address, 7})), HasSubstr("the guest"))
        << address;
}

TEST_F(Kvm, WildJumpsCrashesAndStackOverflowEndTheGuestAlone) {
  EXPECT_THAT(fault_of(Attack::wild_jump, words({0})), HasSubstr("triple fault"));
  EXPECT_THAT(fault_of(Attack::wild_jump, words({0x7fff00000000})), HasSubstr("the guest"));
  EXPECT_THAT(fault_of(Attack::crash, {}), HasSubstr("triple fault"));
  EXPECT_THAT(fault_of(Attack::stack_overflow, words({1 << 20})), HasSubstr("triple fault"));
}

TEST_F(Kvm, AMemoryHogMeetsTheEndOfItsMemory) {
  EXPECT_THAT(fault_of(Attack::memory_hog, words({1 << 30})), HasSubstr("no memory"));
}

TEST_F(Kvm, AnEndlessLoopMeetsItsDeadline) {
  DomainOptions options;
  options.deadline = std::chrono::milliseconds(60);
  EXPECT_THAT(fault_of(Attack::endless_loop, {}, options), HasSubstr("no answer within 60 ms"));
  EXPECT_THAT(fault_of(Attack::never_return, {}, options), HasSubstr("no answer within 60 ms"));
}

// The timer of an earlier, longer deadline must not let a later call run on.
TEST_F(Kvm, AShortDeadlineAfterALongOneIsKept) {
  const auto patient = create();
  Bytes reply(8);
  patient->call(Entry::null, {}, reply);
  DomainOptions options;
  options.deadline = std::chrono::milliseconds(40);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(fault_of(Attack::endless_loop, {}, options), HasSubstr("within 40 ms"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(8));
}

TEST_F(Kvm, CallsInTimeAreNotCutByEarlierDeadlines) {
  DomainOptions options;
  options.deadline = std::chrono::milliseconds(30);
  const auto domain = create(options);
  Bytes request(60'000), reply(32);
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(150);
  while (std::chrono::steady_clock::now() < end)
    ASSERT_EQ(domain->call(Entry::hash, request, reply), 32U);
}

volatile std::sig_atomic_t ticks = 0;

TEST_F(Kvm, NoTimerTicksOnAfterTheLastDomain) {
  struct sigaction count {
  }, before;
  create();  // installs the handler that is watched here
  ASSERT_EQ(::sigaction(SIGRTMAX - 1, nullptr, &before), 0);
  DomainOptions options;
  options.deadline = std::chrono::milliseconds(20);
  create(options)->call(Entry::null, {}, {});
  count.sa_handler = [](int) { ticks = ticks + 1; };
  ASSERT_EQ(::sigaction(SIGRTMAX - 1, &count, nullptr), 0);
  std::this_thread::sleep_for(std::chrono::milliseconds(60));
  EXPECT_EQ(::sigaction(SIGRTMAX - 1, &before, nullptr), 0);
  EXPECT_EQ(ticks, 0);
}

// Signals interrupt the making of machines as well as their running.
TEST_F(Kvm, MachinesAreMadeAndRunUnderARainOfSignals) {
  struct sigaction nothing {
  }, before;
  nothing.sa_handler = [](int) { ticks = ticks + 1; };
  ASSERT_EQ(::sigaction(SIGALRM, &nothing, &before), 0);
  const itimerval often{{0, 300}, {0, 300}}, never{};
  ::setitimer(ITIMER_REAL, &often, nullptr);
  Bytes request(60'000, std::byte{1}), reply(32);
  std::string told;
  try {
    for (int i = 0; i < 40; ++i) create()->call(Entry::hash, request, reply);
  } catch (const Error& e) {
    told = e.what();
  }
  ::setitimer(ITIMER_REAL, &never, nullptr);
  ::sigaction(SIGALRM, &before, nullptr);
  EXPECT_EQ(told, "");
}

TEST_F(Kvm, AReplyThatClaimsTooMuchIsNotBelieved) {
  EXPECT_THAT(fault_of(Attack::oversized_reply, {}), HasSubstr("not to be trusted"));
}

TEST_F(Kvm, TheGuestSpoilsItsCopyOfTheArgumentNotOurs) {
  const auto domain = create();
  const Bytes request(100, std::byte{0x11});
  Bytes reply(64);
  domain->call(entry_of(Attack::corrupt_argument), request, reply);
  EXPECT_EQ(request, Bytes(100, std::byte{0x11}));
}

TEST_F(Kvm, HundredsLiveAtOnceAndLeaveNothing) {
  Bytes reply(8);
  create()->call(Entry::null, {}, reply);
  const std::size_t fds = count_fds();
  EXPECT_EQ(count_maps("kvm-vcpu"), 0U);
  {
    std::vector<std::unique_ptr<Domain>> domains;
    for (int i = 0; i < 200; ++i) domains.push_back(create());
    EXPECT_EQ(count_fds(), fds + 400);
    for (int round = 0; round < 2; ++round)
      for (auto& domain : domains) ASSERT_EQ(domain->call(Entry::sum, {}, reply), 8U);
  }
  EXPECT_EQ(count_fds(), fds);
  EXPECT_EQ(count_maps("kvm-vcpu"), 0U);
}

TEST_F(Kvm, TheLimitOfOpenFilesIsNamed) {
  const std::string told = run_in_child(
      [] {
        const rlimit few{40, 40};
        ::setrlimit(RLIMIT_NOFILE, &few);
        std::vector<std::unique_ptr<Domain>> domains;
        try {
          for (int i = 0; i < 100; ++i) domains.push_back(create());
        } catch (const RunError& e) {
          const std::size_t before = count_fds();
          Bytes reply(8);
          for (auto& domain : domains) domain->call(Entry::sum, {}, reply);
          domains.clear();
          return e.what() + std::string(before > count_fds() + 10 ? ", all freed" : ", not freed");
        }
        return std::string("no limit met");
      },
      std::chrono::seconds(60), "kvm test");
  EXPECT_THAT(told, HasSubstr("'ulimit -n' allows 40"));
  EXPECT_THAT(told, HasSubstr(", all freed"));
}

TEST_F(Kvm, TheLimitOfMapEntriesIsNamed) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer's allocator ends the program when it gets no map entry";
#endif
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
      std::chrono::seconds(60), "kvm test");
  EXPECT_THAT(told, HasSubstr("vm.max_map_count allows " + std::to_string(limit)));
}

TEST_F(Kvm, AChildOfForkMakesItsOwn) {
  const auto parents = create();
  Bytes reply(8);
  parents->call(Entry::sum, {}, reply);
  DomainOptions options;
  options.deadline = std::chrono::milliseconds(50);
  const std::string told = run_in_child([&] { return fault_of(Attack::endless_loop, {}, options); },
                                        std::chrono::seconds(20), "kvm test");
  EXPECT_THAT(told, HasSubstr("no answer within 50 ms"));
  EXPECT_EQ(parents->call(Entry::sum, {}, reply), 8U);
}

TEST_F(Kvm, RefusesSizesThatDoNotFit) {
  DomainOptions options;
  options.max_message = std::size_t{1} << 40;
  EXPECT_THROW(create(options), InputError);
  options.max_message = 1 << 16;
  options.shared_bytes = ~std::size_t{0};
  EXPECT_THROW(create(options), InputError);
}

}  // namespace
}  // namespace missive::domains
