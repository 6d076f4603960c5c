// Hand-overs of the processor between threads and processes, and of a cache line between
// processors.

#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "real/measure/clock.h"
#include "real/measure/micro_isolation_list.h"
#include "real/measure/micro_process.h"

namespace missive::measure {

namespace {

// Batches of a fraction of a millisecond: most are over before the scheduler interrupts them.
constexpr std::uint64_t kMessages = 1'000;
constexpr std::uint64_t kSwitches = 100;

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
    micro_must(queue_ >= 0, "mq_open");
    ::mq_unlink(name.c_str());
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { ::mq_close(queue_); }
  void send() const { micro_must(::mq_send(queue_, "12345678", 8, 0) == 0, "mq_send"); }
  void wait(int milliseconds) const {
    pollfd ready{queue_, POLLIN, 0};
    micro_must(::poll(&ready, 1, milliseconds) == 1, "poll of a message queue");
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
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      queue.send();
      micro_must(queue.receive(), "mq_receive");
    }
  });
  sample.add(0, 0, kMessages, t);
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
      micro_must(back.receive(), "mq_receive");
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
      micro_must(child >= 0, "fork");
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

// The line carries words beside the one that is polled, written before it, as a message does whose
// fields lie beside its number. What that costs is the processor's to say: its stores to a line it
// holds go out one after the other, but the other side may fetch the line in between.
void line_transfer(Sampler& sample) {
  constexpr std::uint32_t kRounds = 5000;
  struct alignas(64) Ball {
    std::atomic<std::uint32_t> number{0};
    std::atomic<std::uint64_t> words[3]{};
  };
  Ball there, back;
  std::atomic<bool> ready{false};
  const auto throw_ball = [](Ball& ball, std::uint32_t number) {
    for (auto& word : ball.words) word.store(number, std::memory_order_relaxed);
    ball.number.store(number, std::memory_order_release);
  };
  // Each side gives up the CPU now and then: on a busy host the other may wait for this one's.
  const auto await = [&](const Ball& ball, std::uint32_t wanted) {
    for (std::uint32_t spins = 1; ball.number.load(std::memory_order_acquire) != wanted; ++spins) {
      __builtin_ia32_pause();  // as every polite spinner does; part of what is measured
      if (spins % 10'000 == 0) std::this_thread::yield();
    }
    for (const auto& word : ball.words) keep(word.load(std::memory_order_relaxed));
  };
  std::thread peer([&] {
    pin_to(second_cpu());
    ready = true;
    for (std::uint32_t i = 1; i <= kRounds; ++i) {
      await(there, i);
      throw_ball(back, i);
    }
  });
  while (!ready) std::this_thread::yield();
  const double t = seconds_of([&] {
    for (std::uint32_t i = 1; i <= kRounds; ++i) {
      throw_ball(there, i);
      await(back, i);
    }
  });
  peer.join();
  sample.add(2 * kRounds, 0, 0, t);
}

}  // namespace missive::measure
