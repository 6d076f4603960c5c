#include "real/domains/process.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

namespace missive::domains {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

// A service that does as it is told by its entry.
enum Order : std::int32_t { exit_3 = 200, crash, hang, lie, pid, hold_open, cpu, scribble };

volatile std::int32_t scribbled = 1;

std::int64_t obey(std::int32_t order, const std::uint8_t* request, std::size_t size,
                  std::uint8_t* reply, std::size_t capacity) {
  switch (order) {
    case exit_3:
      ::_exit(3);
    case crash:
      ::raise(SIGSEGV);
      return 0;
    case hang:
      for (;;) ::pause();
    case lie:
      return static_cast<std::int64_t>(capacity) + 1;
    case pid: {
      const pid_t self = ::getpid();
      std::memcpy(reply, &self, sizeof self);
      return sizeof self;
    }
    case hold_open: {  // descriptors above the standard ones
      std::int32_t open = 0;
      for (int fd = 3; fd < 1024; ++fd) open += ::lseek(fd, 0, SEEK_CUR) >= 0 || errno != EBADF;
      std::memcpy(reply, &open, sizeof open);
      return sizeof open;
    }
    case cpu: {
      const std::int32_t here = ::sched_getcpu();
      std::memcpy(reply, &here, sizeof here);
      return sizeof here;
    }
    case scribble: {
      scribbled = scribbled + 1;
      const std::int32_t now = scribbled;
      std::memcpy(reply, &now, sizeof now);
      return sizeof now;
    }
    default:
      return missive_service(order, request, size, reply, capacity);
  }
}

struct Transport {
  const char* name;
  std::unique_ptr<Domain> (*make)(const DomainOptions&, ServiceFunction);
};

class ServiceInAProcess : public testing::TestWithParam<Transport> {
 protected:
  void SetUp() override {
    const Mechanism& m = mechanism(GetParam().name);
    if (const auto why = m.unavailable(); !why.empty()) GTEST_SKIP() << why;
  }
  static std::unique_ptr<Domain> make(const DomainOptions& options = {}) {
    return GetParam().make(options, obey);
  }
  static std::int32_t ask(Domain& domain, Order order) {
    std::int32_t answer = 0;
    EXPECT_EQ(
        domain.call(static_cast<Entry>(order), {}, std::as_writable_bytes(std::span(&answer, 1))),
        sizeof answer);
    return answer;
  }
  static std::string fault(Domain& domain, Order order) {
    std::byte reply[16];
    try {
      domain.call(static_cast<Entry>(order), {}, reply);
      ADD_FAILURE() << "no fault";
      return "";
    } catch (const DomainFault& e) {
      return e.what();
    }
  }
};

TEST_P(ServiceInAProcess, RunsElsewhere) {
  const auto domain = make();
  EXPECT_NE(ask(*domain, pid), ::getpid());
}

TEST_P(ServiceInAProcess, CannotChangeItsCallersMemory) {
  const auto domain = make();
  EXPECT_EQ(ask(*domain, scribble), 2);
  EXPECT_EQ(ask(*domain, scribble), 3);
  EXPECT_EQ(scribbled, 1);
}

TEST_P(ServiceInAProcess, ACrashIsAFaultAndTheCallerLives) {
  const auto domain = make();
  EXPECT_THAT(fault(*domain, crash),
              AllOf(HasSubstr(GetParam().name), HasSubstr("killed by Segmentation fault")));
  EXPECT_THROW(domain->call(Entry::null, {}, {}), DomainFault) << "it stays unusable";
}

TEST_P(ServiceInAProcess, AnExitIsAFault) {
  const auto domain = make();
  EXPECT_THAT(fault(*domain, exit_3), HasSubstr("exit status 3"));
}

TEST_P(ServiceInAProcess, ACallThatNeverReturnsEndsAtTheDeadline) {
  DomainOptions options;
  options.deadline = milliseconds(50);
  const auto domain = make(options);
  const pid_t service = ask(*domain, pid);
  EXPECT_THAT(fault(*domain, hang), HasSubstr("no answer before the deadline"));
  EXPECT_EQ(::kill(service, 0), -1) << "the service lives on";
}

TEST_P(ServiceInAProcess, AnImpossibleReplyLengthIsAFault) {
  const auto domain = make();
  const pid_t service = ask(*domain, pid);
  EXPECT_THAT(fault(*domain, lie), HasSubstr("claims a reply of 17 bytes in 16"));
  EXPECT_EQ(::kill(service, 0), -1);
}

TEST_P(ServiceInAProcess, DestructionLeavesNoProcess) {
  auto domain = make();
  const pid_t service = ask(*domain, pid);
  domain.reset();
  EXPECT_EQ(::kill(service, 0), -1);
  EXPECT_EQ(errno, ESRCH);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child is left";
}

TEST_P(ServiceInAProcess, InheritsOnlyItsOwnDescriptors) {
  const auto other = make();  // whose descriptors it must not get either
  const auto domain = make();
  EXPECT_LE(ask(*domain, hold_open), 2);
}

TEST_P(ServiceInAProcess, DescriptorsOfTheCallerGoWithTheDomain) {
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  const auto before = count();
  for (int i = 0; i < 3; ++i) {
    const auto domain = make();
    if (i == 1) fault(*domain, crash);
  }
  EXPECT_EQ(count(), before);
}

TEST_P(ServiceInAProcess, IsPinnedWhereItWasTold) {
  DomainOptions options;
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof allowed, &allowed), 0);
  for (int c = 0; c < CPU_SETSIZE; ++c)
    if (CPU_ISSET(static_cast<std::size_t>(c), &allowed)) {
      options.peer_cpu = c;
      EXPECT_EQ(ask(*make(options), cpu), c);
    }
  // Where this thread itself is pinned must not matter.
  cpu_set_t first;
  CPU_ZERO(&first);
  for (int c = CPU_SETSIZE; c-- > 0;)
    if (CPU_ISSET(static_cast<std::size_t>(c), &allowed)) {
      CPU_ZERO(&first);
      CPU_SET(static_cast<std::size_t>(c), &first);
    }
  ASSERT_EQ(::sched_setaffinity(0, sizeof first, &first), 0);
  EXPECT_EQ(ask(*make(options), cpu), options.peer_cpu);
  ASSERT_EQ(::sched_setaffinity(0, sizeof allowed, &allowed), 0);
  options.peer_cpu = 1023;
  EXPECT_THROW(make(options), InputError);
}

TEST_P(ServiceInAProcess, MessagesLargerThanAnyKernelBufferPass) {
  DomainOptions options;
  options.max_message = 4 << 20;
  const auto domain = make(options);
  std::vector<std::byte> request(4 << 20, std::byte{1}), reply(4 << 20);
  ASSERT_EQ(domain->call(Entry::sort, request, reply), request.size());
  EXPECT_EQ(reply, request);
}

INSTANTIATE_TEST_SUITE_P(
    Over, ServiceInAProcess,
    testing::Values(Transport{"process-pipe",
                              [](const DomainOptions& o, ServiceFunction f) {
                                return make_stream_domain(StreamKind::pipe, o, f);
                              }},
                    Transport{"process-unix",
                              [](const DomainOptions& o, ServiceFunction f) {
                                return make_stream_domain(StreamKind::unix_socket, o, f);
                              }},
                    Transport{"process-eventfd",
                              [](const DomainOptions& o, ServiceFunction f) {
                                return make_memory_domain(MemorySignal::eventfd, o, f);
                              }},
                    Transport{"process-futex",
                              [](const DomainOptions& o, ServiceFunction f) {
                                return make_memory_domain(MemorySignal::futex, o, f);
                              }},
                    Transport{"process-spin",
                              [](const DomainOptions& o, ServiceFunction f) {
                                return make_memory_domain(MemorySignal::spin, o, f);
                              }}),
    [](const auto& which) {
      std::string name = which.param.name;
      return name.replace(7, 1, "_");
    });

}  // namespace
}  // namespace missive::domains
