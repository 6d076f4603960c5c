#include "real/domains/kvm/deadline.h"

#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real/fd.h"

namespace missive::domains {

namespace {

// Shared with the signal handler of the same thread only; volatile and in program order.
struct ThreadTimer {
  volatile std::int64_t due = 0;  // nanoseconds of CLOCK_MONOTONIC; 0: no call under way
  volatile std::uint8_t* volatile flag = nullptr;
  volatile bool passed = false;
  volatile std::int64_t tick = 0;  // when the timer fires; 0: not armed
  bool made = false;
  timer_t timer{};
};
constinit thread_local ThreadTimer thread_timer;

int signal_number() { return SIGRTMAX - 1; }

std::int64_t now() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void set(timer_t timer, std::int64_t nanoseconds) {
  if (nanoseconds < 1) nanoseconds = 1;
  itimerspec when{};
  when.it_value.tv_sec = nanoseconds / 1'000'000'000;
  when.it_value.tv_nsec = nanoseconds % 1'000'000'000;
  ::timer_settime(timer, 0, &when, nullptr);
}

// Finds its thread's state through the signal's value and touches nothing thread-local: it may
// interrupt code with another thread pointer (pie/gate.h).
void on_timer(int, siginfo_t* info, void*) {
  if (info->si_code != SI_TIMER) return;
  auto* t = static_cast<ThreadTimer*>(info->si_value.sival_ptr);
  const std::int64_t due = t->due;
  if (due == 0) {
    t->tick = 0;
    return;
  }
  const std::int64_t left = due - now();
  if (left > 0) {
    t->tick = due;
    set(t->timer, left);
    return;
  }
  t->tick = 0;
  t->passed = true;
  *t->flag = 1;
}

void install_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_timer;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  if (::sigaction(signal_number(), &action, nullptr) != 0) throw_errno("deadline: sigaction");
  // Timers are not inherited by fork(2).
  ::pthread_atfork(nullptr, nullptr, [] {
    thread_timer.made = false;
    thread_timer.tick = 0;
  });
}

// Made at a thread's first deadline, deleted when the thread ends.
struct Maker {
  ~Maker() {
    if (thread_timer.made) ::timer_delete(thread_timer.timer);
    thread_timer.made = false;
  }
  void make() {
    static const bool once = (install_handler(), true);
    static_cast<void>(once);
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, signal_number());
    ::pthread_sigmask(SIG_UNBLOCK, &ours, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal_number();
    event.sigev_value.sival_ptr = &thread_timer;
    event._sigev_un._tid = static_cast<pid_t>(::syscall(SYS_gettid));
    if (::timer_create(CLOCK_MONOTONIC, &event, &thread_timer.timer) != 0)
      throw_errno("deadline: timer_create (the limit is 'ulimit -i')");
    thread_timer.made = true;
  }
};
thread_local Maker maker;

}  // namespace

Deadline::Deadline(std::chrono::nanoseconds limit, volatile std::uint8_t* flag) {
  ThreadTimer& t = thread_timer;
  t.passed = false;
  *flag = 0;
  if (limit.count() <= 0) return;
  if (!t.made) maker.make();
  t.flag = flag;
  t.due = now() + limit.count();
  if (t.tick == 0 || t.tick > t.due) {
    t.tick = t.due;
    set(t.timer, limit.count());
  }
}

Deadline::~Deadline() { thread_timer.due = 0; }

void Deadline::stop_ticking() noexcept {
  ThreadTimer& t = thread_timer;
  if (t.tick == 0 || t.due != 0) return;
  const itimerspec never{};
  ::timer_settime(t.timer, 0, &never, nullptr);
  t.tick = 0;
}

bool Deadline::passed() const { return thread_timer.passed; }

}  // namespace missive::domains
