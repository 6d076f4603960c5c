// Primitives of crossings: calls, stack switches, kernel entries, messages to oneself, hand-overs.

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/auxv.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real/fd.h"
#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"

#if defined(__x86_64__)
extern "C" void missive_micro_switch(void** keep, void* next);
extern "C" void missive_micro_entry();
extern "C" void missive_micro_entry_in_line();
// What the System V ABI for AMD64 (3.2.1) asks a callee to preserve; jumps back by `jmp`, because
// the processor's return stack knows nothing of the other stack.
asm(R"(
.pushsection .text
.p2align 4
.globl missive_micro_switch
.hidden missive_micro_switch
missive_micro_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmp *%rcx
.p2align 4
.globl missive_micro_entry
.hidden missive_micro_entry
missive_micro_entry:
  movq %r12, %rdi
  call *%rbx
  ud2
.p2align 4
.globl missive_micro_entry_in_line
.hidden missive_micro_entry_in_line
missive_micro_entry_in_line:
  movq %rbp, %rdi
  call *%rbx
  ud2
.popsection
)");
#endif

namespace missive::measure {

namespace {

// Batches of a fraction of a millisecond: most are over before the scheduler interrupts them.
constexpr std::uint64_t kFast = 50'000;   // of what takes nanoseconds
constexpr std::uint64_t kCalls = 1'000;   // of what enters the kernel
constexpr std::uint64_t kSwitches = 100;  // of what changes threads

// A function that calls the next one of a table, as an interface, a service and its table of
// entries do: one inside the other, not one after the other.
struct Link;
using Linked = std::int64_t (*)(const Link*, const void*, std::size_t, void*, std::size_t);
struct Link {
  Linked next;
};

[[gnu::noinline]] std::int64_t last_link(const Link* link, const void* request, std::size_t size,
                                         void* reply, std::size_t capacity) {
  keep(link), keep(request), keep(size), keep(reply), keep(capacity);
  return 0;
}

[[gnu::noinline]] std::int64_t middle_link(const Link* link, const void* request, std::size_t size,
                                           void* reply, std::size_t capacity) {
  const std::int64_t answer = link->next(link + 1, request, size, reply, capacity);
  keep(answer);  // so that it is a call and a return, no jump
  return answer;
}

constexpr std::size_t kLinks = 8;

void must(bool good, const char* what) {
  if (!good) throw_errno(std::string("micro-measurement: ") + what);
}

// A message of `size` from this thread to itself.
template <typename Send>
void self_messages(Sampler& sample, int from, const Send& send) {
  constexpr std::uint64_t kMessages = 50;
  for (const std::size_t size : {16U, 4096U, 24576U, 61440U}) {
    const std::vector<char> message(size, 'm');
    std::vector<char> received(size);
    const double t = seconds_of([&] {
      for (std::uint64_t i = 0; i < kMessages; ++i) {
        must(send(message.data(), size) == static_cast<ssize_t>(size), "write");
        must(::read(from, received.data(), size) == static_cast<ssize_t>(size), "read");
      }
    });
    sample.add(kMessages, kMessages * size, 0, t);
  }
}

// A POSIX message queue, mq_overview(7): none of the transports that are predicted uses one.
class Queue {
 public:
  explicit Queue(int number) {
    const std::string name =
        "/missive-micro-" + std::to_string(::getpid()) + "-" + std::to_string(number);
    mq_attr attributes{};
    attributes.mq_maxmsg = 1;
    attributes.mq_msgsize = 8;
    queue_ = ::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
    must(queue_ >= 0, "mq_open");
    ::mq_unlink(name.c_str());
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { ::mq_close(queue_); }
  void send() const { must(::mq_send(queue_, "12345678", 8, 0) == 0, "mq_send"); }
  void wait(int milliseconds) const {
    pollfd ready{queue_, POLLIN, 0};
    must(::poll(&ready, 1, milliseconds) == 1, "poll of a message queue");
  }
  bool receive() const {
    char message[8];
    return ::mq_receive(queue_, message, sizeof message, nullptr) == 8;
  }

 private:
  mqd_t queue_ = -1;
};

void own_messages(Sampler& sample, const Queue& queue) {
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kCalls; ++i) {
      queue.send();
      must(queue.receive(), "mq_receive");
    }
  });
  sample.add(0, 0, kCalls, t);
}

// Before a receive that has to wait: with a deadline, for which the kernel sets a timer (a queue's
// descriptor can be polled, mq_overview(7)).
enum class Wait { plainly, in_poll };

double rounds_of(const std::vector<std::unique_ptr<Queue>>& there, const Queue& back,
                 std::uint64_t n, Wait wait) {
  return seconds_of([&] {
    for (std::uint64_t i = 0; i < n; ++i) {
      there[i % there.size()]->send();
      if (wait == Wait::in_poll) back.wait(10'000);
      must(back.receive(), "mq_receive");
    }
  });
}

// One peer after the other.
void hand_overs(Sampler& sample, const std::vector<std::unique_ptr<Queue>>& there,
                const Queue& back) {
  rounds_of(there, back, 4 * there.size(), Wait::plainly);
  const double t = rounds_of(there, back, kSwitches, Wait::plainly);
  sample.add(2 * kSwitches, 0, 2 * kSwitches, t);
}

// Rounds with a poll and rounds without by turns, in short stretches: the fit takes them apart.
void polls(Sampler& sample, const std::vector<std::unique_ptr<Queue>>& there, const Queue& back) {
  constexpr std::uint64_t kStretch = 20;
  rounds_of(there, back, kStretch, Wait::in_poll);
  for (int i = 0; i < 8; ++i) {
    sample.add(0, 0, kStretch, rounds_of(there, back, kStretch, Wait::plainly));
    sample.add(kStretch, 0, kStretch, rounds_of(there, back, kStretch, Wait::in_poll));
  }
}

}  // namespace

void indirect_call(Sampler& sample) {
  std::array<Link, kLinks> links{};
  links.fill({middle_link});
  links.back().next = last_link;
  const Link* first = links.data();
  keep(first);
  std::int64_t sum = 0;
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kFast / kLinks; ++i)
      sum += first->next(first + 1, nullptr, 0, nullptr, 0);
  });
  keep(sum);
  sample.add(kFast / kLinks * kLinks, 0, 0, t);
}

#if defined(__x86_64__)

namespace {

struct OtherStack {
  void* here = nullptr;
  void* there = nullptr;
  bool stop = false;
};

void other_side(OtherStack* s) {
  for (;;) missive_micro_switch(&s->there, s->here);
}

}  // namespace

void register_switch(Sampler& sample) {
  constexpr std::size_t kStack = 64 * 1024;
  Mapping stack = Mapping::anonymous(kStack, "micro-measurement: stack");
  OtherStack s;
  void* frame[8] = {};  // r15, r14, r13, r12, rbx, rbp, where to continue
  frame[3] = &s;
  frame[4] = reinterpret_cast<void*>(&other_side);
  frame[6] = reinterpret_cast<void*>(&missive_micro_entry);
  std::byte* at = stack.writable().data() + kStack - sizeof frame - 8;
  std::memcpy(at, frame, sizeof frame);
  s.there = at;
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kFast; ++i) missive_micro_switch(&s.here, s.there);
  });
  sample.add(2 * kFast, 0, 0, t);
}

namespace {

// In line, and only what the compiler cannot be told to save itself: where to go on and two
// registers.
struct Paused {
  void* next;
  void* rbx;
  void* rbp;
};

[[gnu::always_inline]] inline void exchange_stacks(void** mine, void* other) {
  asm volatile(
      "lea -128(%%rsp), %%rsp\n\t"
      "push %%rbp\n\t"
      "push %%rbx\n\t"
      "lea 1f(%%rip), %%rax\n\t"
      "push %%rax\n\t"
      "mov %%rsp, (%%rdi)\n\t"
      "mov %%rsi, %%rsp\n\t"
      "pop %%rax\n\t"
      "pop %%rbx\n\t"
      "pop %%rbp\n\t"
      "jmp *%%rax\n"
      "1:\n\t"
      "lea 128(%%rsp), %%rsp"
      : "+D"(mine), "+S"(other)
      :
      : "rax", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
        "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "xmm13", "xmm14", "xmm15", "cc", "memory");
}

void other_side_in_line(OtherStack* s) {
  for (;;) exchange_stacks(&s->there, s->here);
}

}  // namespace

void stack_switch(Sampler& sample) {
  constexpr std::size_t kStack = 64 * 1024;
  Mapping stack = Mapping::anonymous(kStack, "micro-measurement: stack");
  OtherStack s;
  const Paused paused{reinterpret_cast<void*>(&missive_micro_entry_in_line),
                      reinterpret_cast<void*>(&other_side_in_line), &s};
  std::byte* at = stack.writable().data() + kStack - sizeof paused - 8;
  std::memcpy(at, &paused, sizeof paused);
  s.there = at;
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kFast; ++i) exchange_stacks(&s.here, s.there);
  });
  sample.add(2 * kFast, 0, 0, t);
}

std::string fs_base_write_unavailable() {
  constexpr unsigned long kFsGsBase = 2;  // HWCAP2_FSGSBASE, Documentation/arch/x86/x86_64/fsgs
  return (::getauxval(AT_HWCAP2) & kFsGsBase) != 0
             ? ""
             : "the processor or the kernel does not offer wrfsbase";
}

void fs_base_write(Sampler& sample) {
  std::uint64_t base = 0;
  asm volatile("rdfsbase %0" : "=r"(base));
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kFast; ++i) asm volatile("wrfsbase %0" : : "r"(base) : "memory");
  });
  sample.add(kFast, 0, 0, t);
}

void processor_question(Sampler& sample) {
  constexpr std::uint64_t kQuestions = 200;
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kQuestions; ++i) {
      std::uint32_t a = 0, b = 0, c = 0, d = 0;
      asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    }
  });
  sample.add(kQuestions, 0, 0, t);
}

#else
#error "the register switch is written for x86-64"
#endif

void system_call(Sampler& sample) {
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < 2 * kCalls; ++i) ::syscall(SYS_getppid);
  });
  sample.add(2 * kCalls, 0, 0, t);
}

void futex_pair(Sampler& sample) {
  std::atomic<std::uint32_t> word{1};
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kCalls; ++i) {
      ::syscall(SYS_futex, &word, FUTEX_WAKE, 1, nullptr, nullptr, 0);
      ::syscall(SYS_futex, &word, FUTEX_WAIT, 2, nullptr, nullptr, 0);
    }
  });
  sample.add(kCalls, 0, 0, t);
}

void eventfd_signal(Sampler& sample) {
  const UniqueFd event(::eventfd(0, EFD_CLOEXEC));
  must(event.get() >= 0, "eventfd");
  std::uint64_t one = 1;
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kCalls; ++i) {
      must(::write(event.get(), &one, sizeof one) == sizeof one, "write");
      must(::read(event.get(), &one, sizeof one) == sizeof one, "read");
    }
  });
  sample.add(kCalls, 0, 0, t);
}

void pipe_message(Sampler& sample) {
  int ends[2];
  must(::pipe2(ends, O_CLOEXEC) == 0, "pipe2");
  const UniqueFd from(ends[0]), to(ends[1]);
  self_messages(sample, from.get(),
                [&](const char* data, std::size_t size) { return ::write(to.get(), data, size); });
}

void unix_message(Sampler& sample) {
  int ends[2];
  must(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
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
  must(::sigaction(SIGUSR2, &quiet, &before) == 0, "sigaction");
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < kCalls / 4; ++i) ::raise(SIGUSR2);
  });
  ::sigaction(SIGUSR2, &before, nullptr);
  sample.add(kCalls / 4, 0, 0, t);
}

namespace {

// Services that each answer on a queue of their own; one back to the caller. Whoever waits there is
// woken by the caller and wakes it again.
struct Peers {
  explicit Peers(int n) : back(n) {
    for (int i = 0; i < n; ++i) there.push_back(std::make_unique<Queue>(i));
  }
  std::vector<std::unique_ptr<Queue>> there;
  Queue back;
};

void serve(const Queue& there, const Queue& back, const std::atomic<bool>& stop) {
  while (there.receive() && !stop) back.send();
}

void with_threads(Sampler& sample, int n) {
  const Peers peers(n);
  own_messages(sample, peers.back);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  const auto end = [&] {
    stop = true;
    for (std::size_t i = 0; i < threads.size(); ++i) peers.there[i]->send();
    for (std::thread& t : threads) t.join();
  };
  try {
    for (const auto& queue : peers.there)
      threads.emplace_back([&stop, &peers, q = queue.get()] { serve(*q, peers.back, stop); });
    hand_overs(sample, peers.there, peers.back);
  } catch (...) {
    end();
    throw;
  }
  end();
}

using Rounds = void (*)(Sampler&, const std::vector<std::unique_ptr<Queue>>&, const Queue&);

void with_processes(Sampler& sample, int n, Rounds rounds = hand_overs) {
  const Peers peers(n);
  if (rounds == hand_overs) own_messages(sample, peers.back);
  const pid_t parent = ::getpid();
  std::vector<pid_t> children;
  const auto end = [&] {
    for (const pid_t child : children) ::kill(child, SIGKILL);
    for (const pid_t child : children)
      while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
      }
  };
  try {
    for (const auto& queue : peers.there) {
      const pid_t child = ::fork();
      must(child >= 0, "fork");
      if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        const std::atomic<bool> never{false};
        try {
          if (::getppid() == parent) serve(*queue, peers.back, never);
        } catch (...) {
        }
        ::_exit(0);
      }
      children.push_back(child);
    }
    rounds(sample, peers.there, peers.back);
  } catch (...) {
    end();
    throw;
  }
  end();
}

constexpr int kMany = 8;

}  // namespace

void wake_thread(Sampler& sample) { with_threads(sample, 1); }
void wake_process(Sampler& sample) { with_processes(sample, 1); }
void poll_wait(Sampler& sample) { with_processes(sample, 1, polls); }
void wake_many_threads(Sampler& sample) { with_threads(sample, kMany); }
void wake_many_processes(Sampler& sample) { with_processes(sample, kMany); }

void line_transfer(Sampler& sample) {
  constexpr std::uint32_t kRounds = 5000;
  alignas(128) std::atomic<std::uint32_t> ball{0};
  std::atomic<bool> ready{false};
  // Each side gives up the CPU now and then: on a busy host the other may wait for this one's.
  const auto await = [&](std::uint32_t wanted) {
    for (std::uint32_t spins = 1; ball.load(std::memory_order_acquire) != wanted; ++spins) {
      __builtin_ia32_pause();  // as every polite spinner does; part of what is measured
      if (spins % 10'000 == 0) std::this_thread::yield();
    }
  };
  std::thread peer([&] {
    pin_to(second_cpu());
    ready = true;
    for (std::uint32_t i = 0; i < kRounds; ++i) {
      await(2 * i + 1);
      ball.store(2 * i + 2, std::memory_order_release);
    }
  });
  while (!ready) std::this_thread::yield();
  const double t = seconds_of([&] {
    for (std::uint32_t i = 0; i < kRounds; ++i) {
      ball.store(2 * i + 1, std::memory_order_release);
      await(2 * i + 2);
    }
  });
  peer.join();
  sample.add(2 * kRounds, 0, 0, t);
}

}  // namespace missive::measure
