// The first process of a virtual machine whose CPU has protection keys: runs the mechanism "pkey"
// through what it promises and writes one line for each to the first serial port, "ok WHAT" or
// "FAILED WHAT: WHY", and "done" at the end. A static program, made of the project's own sources.

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <functional>
#include <vector>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include "real/domains/attacks.h"
#include "real/domains/mechanism_list.h"
#include "real/domains/pie/guest/link.h"
#include "real/domains/pkey/keys.h"
#include "real/domains/service/service.h"

namespace missive::domains {
namespace {

using Bytes = std::vector<std::byte>;

void expect(bool holds, const std::string& what) {
  if (!holds) throw RunError(what);
}

void check(const char* what, const std::function<void()>& test) {
  try {
    test();
    std::printf("ok %s\n", what);
  } catch (const std::exception& e) {
    std::printf("FAILED %s: %s\n", what, e.what());
  }
}

Mechanism pkey() { return pkey_mechanism(); }
std::unique_ptr<Domain> create(const DomainOptions& options = {}) { return pkey().create(options); }

Bytes words(std::initializer_list<std::uint64_t> values) {
  Bytes bytes(values.size() * 8);
  std::memcpy(bytes.data(), std::data(values), bytes.size());
  return bytes;
}
std::uint64_t address(const volatile void* p) { return reinterpret_cast<std::uint64_t>(p); }

void expect_sum(Domain& domain, const std::string& when) {
  const Bytes request(100, std::byte{1});
  Bytes reply(8);
  expect(domain.call(Entry::sum, request, reply) == 8 && reply[0] == std::byte{100},
         "a domain does not answer rightly " + when);
}

// The fault that the attack ends in, with another domain unharmed and the host's rights back.
std::string fault_of(Attack attack, const Bytes& argument) {
  const auto victim = create(), other = create();
  Bytes reply(64);
  std::string told;
  try {
    victim->call(entry_of(attack), argument, reply);
  } catch (const DomainFault& e) {
    told = e.what();
  }
  expect(!told.empty(), "no fault");
  expect(pkey::rights() == pkey::kEverything, "the host's rights did not come back");
  expect_sum(*other, "after the other's fault");
  try {
    victim->call(Entry::null, {}, {});
    throw RunError("a fault is not final");
  } catch (const DomainFault&) {
  }
  return told;
}

void expect_key_fault(const std::string& told) {
  expect(told.find("touched memory behind another key") != std::string::npos, "ended by " + told);
}

std::int64_t native(Entry entry, const Bytes& request, Bytes& reply) {
  return missive_service(static_cast<std::int32_t>(entry),
                         reinterpret_cast<const std::uint8_t*>(request.data()), request.size(),
                         reinterpret_cast<std::uint8_t*>(reply.data()), reply.size());
}

volatile std::uint64_t canary = 0x5afe;
void jump_target() { canary = 0; }
volatile int ticks = 0;

void run() {
  check("is available", [] { expect(pkey().unavailable().empty(), pkey().unavailable()); });
  check("answers as the plain service does", [] {
    const auto domain = create();
    for (const Entry entry : {Entry::hash, Entry::sort, Entry::sum}) {
      Bytes request(4096), reply(4096), expected(4096);
      for (std::size_t i = 0; i < request.size(); ++i) request[i] = static_cast<std::byte>(i * 7);
      const auto n = native(entry, request, expected);
      expect(static_cast<std::int64_t>(domain->call(entry, request, reply)) == n, "length");
      expect(reply == expected, "reply");
    }
    expect(domain->call(Entry::null, {}, {}) == 0, "null");
  });
  check("the program's own library allocates, also by mmap", [] {
    const auto domain = create();
    missive_pie_probe told;
    domain->call(static_cast<Entry>(MISSIVE_PIE_PROBE), {},
                 std::as_writable_bytes(std::span(&told, 1)));
    expect(told.calls == 1 && std::strcmp(told.text, "pkey-domain at 1") == 0, told.text);
  });
  check("a crossing gives the host its rights back", [] {
    const auto domain = create();
    expect_sum(*domain, "at first");
    expect(pkey::rights() == pkey::kEverything, "rights after a call");
    expect(domain->shared().empty() && canary == 0x5afe, "memory");
  });
  check("a wild read of the host's memory is contained", [] {
    static const char secret[32] = "the host's secret";
    expect_key_fault(fault_of(Attack::wild_read, words({address(secret), 32})));
  });
  check("a wild read of the host's stack is contained", [] {
    const char secret[32] = "the host's secret";
    expect_key_fault(fault_of(Attack::wild_read, words({address(secret), 32})));
  });
  check("a wild write is contained", [] {
    expect_key_fault(fault_of(Attack::wild_write, words({address(&canary), 1})));
    expect(canary == 0x5afe, "the host's memory was changed");
  });
  check("a wild jump is contained", [] {
    expect_key_fault(
        fault_of(Attack::wild_jump, words({reinterpret_cast<std::uint64_t>(&jump_target)})));
    expect(canary == 0x5afe, "the host's memory was changed");
  });
  check("another domain's memory is out of reach", [] {
    DomainOptions options;
    options.shared_bytes = 4096;
    const auto other = create(options);
    expect(other->shared().size() == 4096, "shared memory");
    expect_key_fault(fault_of(Attack::wild_write, words({address(other->shared().data()), 1})));
    expect(other->shared()[0] == std::byte{0}, "the other's memory was changed");
  });
  check("shared memory is passed in place", [] {
    DomainOptions options;
    options.shared_bytes = 100'000;
    const auto domain = create(options);
    std::memset(domain->shared().data(), 1, domain->shared().size());
    Bytes reply(8);
    expect(domain->call(Entry::sum, domain->shared(), reply) == 8, "length");
    std::uint64_t sum = 0;
    std::memcpy(&sum, reply.data(), 8);
    expect(sum == 100'000, "sum " + std::to_string(sum));
  });
  check("stack overflow and crash end the domain alone", [] {
    fault_of(Attack::stack_overflow, words({std::uint64_t{1} << 40}));
    const std::string crash = fault_of(Attack::crash, {});
    expect(crash.find("signal 4") != std::string::npos, crash);
  });
  check("a corrupted argument is the guest's own copy", [] {
    const auto domain = create();
    const Bytes argument(64, std::byte{5});
    domain->call(entry_of(Attack::corrupt_argument), argument, {});
    expect(argument == Bytes(64, std::byte{5}), "the host's copy was changed");
  });
  check("the selector of system calls is read-only for a guest, and they do not reach the kernel",
        [] {
          const auto domain = create();
          Bytes path(64), reply(64);
          std::memcpy(path.data(), "/init", 6);
          expect(domain->call(entry_of(Attack::open_host_file), path, reply) == 0,
                 "a file was read");
          expect(::access("/init.owned", F_OK) != 0, "a file was made");
        });
  check("domains end where keys do, and begin again", [] {
    std::vector<std::unique_ptr<Domain>> all;
    std::string told;
    try {
      for (int i = 0; i < 20; ++i) all.push_back(create());
    } catch (const RunError& e) {
      told = e.what();
    }
    expect(told.find("no memory protection key left") != std::string::npos, "limit: " + told);
    expect(all.size() == 13, std::to_string(all.size()) + " domains");
    for (const auto& each : all) expect_sum(*each, "among thirteen");
    all.clear();
    for (int i = 0; i < 30; ++i) expect_sum(*create(), "after the limit");
  });
  check("a signal handler of the host's may interrupt a guest", [] {
    struct sigaction count {};
    count.sa_handler = [](int) { ticks = ticks + 1; };
    ::sigaction(SIGALRM, &count, nullptr);
    const itimerval often{{0, 5000}, {0, 5000}}, never{};
    ::setitimer(ITIMER_REAL, &often, nullptr);
    const auto domain = create();
    Bytes request(60'000, std::byte{3}), reply(32), expected(32);
    native(Entry::hash, request, expected);
    for (int i = 0; i < 200 && ticks < 20; ++i) {
      domain->call(Entry::hash, request, reply);
      expect(reply == expected, "a wrong hash");
    }
    ::setitimer(ITIMER_REAL, &never, nullptr);
    expect(ticks >= 3, "only " + std::to_string(ticks) + " ticks");
  });
  check("plain domains of this process work beside it", [] {
    const auto keyed = create();
    const auto plain = pie_mechanism().create({});
    for (int i = 0; i < 3; ++i) {
      expect_sum(*plain, "plain");
      expect_sum(*keyed, "keyed");
    }
  });
  check("claims memory and control, no more", [] {
    const Containment c = pkey().claims;
    expect(c.memory && c.control && !c.time && !c.system_calls && !c.space, "claims");
  });
}

void open_port() {
  ::mount("dev", "/dev", "devtmpfs", 0, nullptr);
  const int port = ::open("/dev/ttyS0", O_RDWR | O_NOCTTY);
  termios raw{};
  ::tcgetattr(port, &raw);
  ::cfmakeraw(&raw);
  ::tcsetattr(port, TCSANOW, &raw);
  ::dup2(port, 1);
  ::setvbuf(stdout, nullptr, _IOLBF, 0);
}

}  // namespace
}  // namespace missive::domains

int main() {
  missive::domains::open_port();
  missive::domains::run();
  std::printf("done\n");
  ::tcdrain(1);
  ::reboot(RB_AUTOBOOT);
}
