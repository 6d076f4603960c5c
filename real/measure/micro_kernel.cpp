// Primitives of crossings that enter the kernel and come back to the same thread: system calls,
// signals, messages to oneself.

#include <atomic>
#include <cerrno>
#include <csignal>
#include <string>
#include <vector>

#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"
#include "real/measure/micro_process.h"

namespace missive::measure {

namespace {

// Batches of a fraction of a millisecond: most are over before the scheduler interrupts them.
constexpr std::uint64_t kCalls = 1'000;

// A message of `size` from this thread to itself.
template <typename Send>
void self_messages(Sampler& sample, int from, const Send& send) {
  constexpr std::uint64_t kMessages = 50;
  for (const std::size_t size : {16U, 4096U, 24576U, 61440U}) {
    const std::vector<char> message(size, 'm');
    std::vector<char> received(size);
    const double t = seconds_of([&] {
      for (std::uint64_t i = 0; i < kMessages; ++i) {
        micro_must(send(message.data(), size) == static_cast<ssize_t>(size), "write");
        micro_must(::read(from, received.data(), size) == static_cast<ssize_t>(size), "read");
      }
    });
    sample.add(kMessages, kMessages * size, 0, t);
  }
}

}  // namespace

void system_call(Sampler& sample) {
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < 2 * kCalls; ++i) ::syscall(SYS_getppid);
  });
  sample.add(2 * kCalls, 0, 0, t);
}

namespace {

// `scope`: FUTEX_PRIVATE_FLAG for a word that only threads of one process wait on, which spares the
// kernel the look-up of the page behind it (futex(2)).
void futex_pairs(Sampler& sample, int scope) {
  std::atomic<std::uint32_t> word{1};
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kCalls; ++i) {
      ::syscall(SYS_futex, &word, FUTEX_WAKE | scope, 1, nullptr, nullptr, 0);
      ::syscall(SYS_futex, &word, FUTEX_WAIT | scope, 2, nullptr, nullptr, 0);
    }
  });
  sample.add(kCalls, 0, 0, t);
}

}  // namespace

void futex_pair(Sampler& sample) { futex_pairs(sample, 0); }
void futex_pair_private(Sampler& sample) { futex_pairs(sample, FUTEX_PRIVATE_FLAG); }

void eventfd_signal(Sampler& sample) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC));
  micro_must(event.get() >= 0, "eventfd");
  std::uint64_t one = 1;
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kCalls; ++i) {
      micro_must(::write(event.get(), &one, sizeof one) == sizeof one, "write");
      micro_must(::read(event.get(), &one, sizeof one) == sizeof one, "read");
    }
  });
  sample.add(kCalls, 0, 0, t);
}

void pipe_message(Sampler& sample) {
  int ends[2];
  micro_must(::pipe2(ends, O_CLOEXEC) == 0, "pipe2");
  const UniqueFd from(ends[0]), to(ends[1]);
  self_messages(sample, from.get(),
                [&](const char* data, std::size_t size) { return ::write(to.get(), data, size); });
}

void unix_message(Sampler& sample) {
  int ends[2];
  micro_must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  const UniqueFd from(ends[0]), to(ends[1]);
  self_messages(sample, from.get(), [&](const char* data, std::size_t size) {
    iovec text{const_cast<char*>(data), size};
    msghdr message{};
    message.msg_iov = &text;
    message.msg_iovlen = 1;
    return ::sendmsg(to.get(), &message, MSG_NOSIGNAL);
  });
}

void signal_delivery(Sampler& sample) {
  struct sigaction quiet {};
  quiet.sa_handler = [](int) {};
  struct sigaction before {};
  micro_must(::sigaction(SIGUSR2, &quiet, &before) == 0, "sigaction");
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kCalls / 4; ++i) ::raise(SIGUSR2);
  });
  ::sigaction(SIGUSR2, &before, nullptr);
  sample.add(kCalls / 4, 0, 0, t);
}

}  // namespace missive::measure
