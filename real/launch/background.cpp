#include "real/launch/background.h"

#include <algorithm>
#include <chrono>
#include <csignal>

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "models/error.h"
#include "real/measure/clock.h"

namespace missive::launch {

namespace {

// Between two looks at whether to stop: some 0.1 ms of work.
constexpr std::uint64_t kStretch = std::uint64_t{1} << 20;
constexpr std::chrono::seconds kPatience{1};

// Of the calling thread. Under SCHED_IDLE (sched(7)) any process of the starting application that
// wakes up takes the processor at once; otherwise it would wait for the end of a time slice.
void run_at(int policy) {
  const sched_param none{};
  ::pthread_setschedparam(::pthread_self(), policy, &none);  // a failure costs time only
}

}  // namespace

Background::Background(Delivery& delivery, verify::BlockVerifier& blocks, std::uint64_t image_bytes,
                       int pidfd)
    : delivery_(delivery), blocks_(blocks), image_bytes_(image_bytes) {
  // pidfd_send_signal(2): init takes every process of its namespace along (pid_namespaces(7)).
  blocks_.on_failure([pidfd] { ::syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, nullptr, 0U); });
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

Background::~Background() {
  thread_.request_stop();
  go_on_.release();
  if (thread_.joinable()) thread_.join();
  blocks_.on_failure({});
}

void Background::run(const std::stop_token& stop) {
  try {
    ahead_.from = measure::now_ns();
    run_at(SCHED_IDLE);
    delivered_ = delivery_.put_ahead(stop);
    ahead_.to = measure::now_ns();
    // An application that is never ready is verified all the same.
    (void)go_on_.try_acquire_for(kPatience);
    run_at(SCHED_OTHER);
    rest_.from = measure::now_ns();
    for (std::uint64_t at = 0; at < image_bytes_ && !stop.stop_requested(); at += kStretch)
      blocks_.require(at, std::min(kStretch, image_bytes_ - at));
  } catch (const std::exception& e) {
    failure_ = e.what();
  }
  rest_.to = measure::now_ns();
}

void Background::finish() {
  go_on_.release();
  thread_.join();
  // The file server may have been the one to find it.
  if (const std::string refused = blocks_.failure(); !refused.empty()) throw RunError(refused);
  if (!failure_.empty()) throw RunError(failure_);
}

}  // namespace missive::launch
