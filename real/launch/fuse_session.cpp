#include "real/launch/fuse_session.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/mounts.h"

namespace missive::launch {

FuseSession::FuseSession(const fuse_lowlevel_ops& operations, void* user, Threads threads)
    : stop_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!stop_) throw_errno("cannot serve files over FUSE: eventfd");
  UniqueFd device(::open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (!device) throw NotAvailable(std::string("cannot open /dev/fuse: ") + std::strerror(errno));
  std::array<char, 8> name{"missive"};
  std::array<char*, 2> arguments{name.data(), nullptr};
  fuse_args args = FUSE_ARGS_INIT(1, arguments.data());
  session_ = fuse_session_new(&args, &operations, sizeof operations, user);
  fuse_opt_free_args(&args);
  if (session_ == nullptr) throw RunError("cannot serve files over FUSE: no session");
  try {
    // "ro" on the file system itself, not only on the mount: else every read makes the cached
    // access time stale and the next stat(2) a request (fuse_invalidate_atime in fs/fuse/dir.c).
    mount_ = new_mount("fuse",
                       {{"ro", ""},
                        {"source", "missive-sim"},
                        {"fd", std::to_string(device.get())},
                        {"rootmode", "40000"},
                        {"user_id", std::to_string(::geteuid())},
                        {"group_id", std::to_string(::getegid())},
                        {"default_permissions", ""},
                        {"allow_other", ""}},
                       MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    // "/dev/fd/N" makes libfuse take an open device that is mounted already (mount.fuse3(8)).
    const std::string taken = "/dev/fd/" + std::to_string(device.get());
    if (fuse_session_mount(session_, taken.c_str()) != 0) {
      throw RunError("cannot serve files over FUSE: libfuse refuses the device");
    }
    device.release();
    start(threads);
  } catch (...) {
    stop();
    fuse_session_destroy(session_);
    throw;
  }
}

FuseSession::~FuseSession() {
  stop();
  mount_.reset();
  fuse_session_destroy(session_);  // closes the device
}

void FuseSession::start(Threads threads) {
  constexpr std::size_t kMost = 8;
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (threads == Threads::per_cpu && ::sched_getaffinity(0, sizeof allowed, &allowed) == 0 &&
      CPU_COUNT(&allowed) > 1) {
    for (int cpu = 0; cpu < CPU_SETSIZE && threads_.size() < kMost; ++cpu) {
      if (CPU_ISSET(static_cast<unsigned>(cpu), &allowed)) {
        threads_.emplace_back([this, cpu] { run(cpu); });
      }
    }
  }
  if (threads_.empty()) threads_.emplace_back([this] { run(-1); });
}

void FuseSession::stop() noexcept {
  const std::uint64_t one = 1;
  while (::write(stop_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
  for (std::thread& each : threads_) each.join();
  threads_.clear();
}

// With a thread on each CPU, a request wakes them all (poll(2) waits are not exclusive), and the
// one on the requester's own CPU has it first: a plain switch there and back, some 5 us. A single
// thread sits mostly on another CPU, where each of the two wake-ups is an interrupt between CPUs,
// ten times as long under a hypervisor. The threads that come late find nothing and sleep again.
void FuseSession::run(int cpu) {
  sigset_t all;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, nullptr);
  ::prctl(PR_SET_NAME, "missive-fuse");
  // Woken for a request from another CPU, it must not take this one from who runs here (sched(7),
  // SCHED_BATCH); who asks from here sleeps, and leaves the CPU to it. A failure costs time only.
  const sched_param none{};
  ::pthread_setschedparam(::pthread_self(), SCHED_BATCH, &none);
  if (cpu >= 0) {
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<unsigned>(cpu), &here);
    ::sched_setaffinity(0, sizeof here, &here);  // a failure costs time only
  }
  fuse_buf buffer{};
  std::array<pollfd, 2> sources{pollfd{fuse_session_fd(session_), POLLIN, 0},
                                pollfd{stop_.get(), POLLIN, 0}};
  while (fuse_session_exited(session_) == 0) {
    // The device does not block, so poll(2) is called only when there is nothing to do.
    const int n = fuse_session_receive_buf(session_, &buffer);
    if (n > 0) {
      fuse_session_process_buf(session_, &buffer);
    } else if (n == -EAGAIN) {
      ::poll(sources.data(), sources.size(), -1);
      if (sources[1].revents != 0) break;
    } else if (n != -EINTR) {
      break;  // unmounted everywhere
    }
  }
  std::free(buffer.mem);
}

}  // namespace missive::launch
