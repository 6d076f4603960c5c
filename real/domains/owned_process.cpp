#include "real/domains/owned_process.h"

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/domains/service_process.h"

namespace missive::domains {

void OwnedProcess::start(const std::string& who, std::uint64_t flags, void (*body)(void*),
                         void* data) {
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = flags | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid == 0) {
    body(data);
    ::_exit(127);
  }
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    const std::string why = std::strerror(error);
    if (error == EPERM || error == ENOSYS || error == EINVAL || error == ENOSPC) {
      throw NotAvailable(who + ": new namespaces refused (" + why +
                         "); needs root or unprivileged user namespaces (user_namespaces(7))");
    }
    throw RunError(who + ": cannot make a process: " + why +
                   " (limits: kernel.pid_max, kernel.threads-max, RLIMIT_NPROC, memory)");
  }
  pid_ = static_cast<pid_t>(pid);
  pidfd_ = UniqueFd(pidfd);
}

bool OwnedProcess::map_user(uid_t inside_uid, uid_t uid, gid_t inside_gid, gid_t gid) const {
  const auto write = [this](const char* file, const std::string& text) {
    const std::string path = "/proc/" + std::to_string(pid_) + "/" + file;
    const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
  };
  const auto line = [](unsigned inside, unsigned outside) {
    return std::to_string(inside) + " " + std::to_string(outside) + " 1";
  };
  if (!write("uid_map", line(inside_uid, uid))) return false;
  if (write("gid_map", line(inside_gid, gid))) return true;
  // Who is not root outside may map a group only where setgroups(2) is off.
  return write("setgroups", "deny") && write("gid_map", line(inside_gid, gid));
}

void OwnedProcess::kill_now() noexcept {
  if (pid_ < 0) return;
  ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
  pid_ = -1;
  pidfd_.reset();
}

std::string OwnedProcess::end() const {
  siginfo_t info{};
  if (pid_ < 0 ||
      ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      info.si_pid == 0) {
    return {};
  }
  if (info.si_code == CLD_EXITED) return "exit status " + std::to_string(info.si_status);
  return std::string("killed by ") + ::strsignal(info.si_status);
}

void die_with_parent(int parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd p{parent, POLLIN, 0};
  if (::poll(&p, 1, 0) != 0) ::_exit(0);  // it ended before the line above
}

bool keep_only(const int* from, int count) {
  std::array<int, 4> high{};
  constexpr int kAbove = 64;
  for (int i = 0; i < count; ++i) {
    high[static_cast<std::size_t>(i)] = ::fcntl(from[i], F_DUPFD, kAbove);
    if (high[static_cast<std::size_t>(i)] < 0) return false;
  }
  for (int i = 0; i < count; ++i) {
    if (::dup2(high[static_cast<std::size_t>(i)], 3 + i) < 0) return false;
  }
  return ::syscall(SYS_close_range, static_cast<unsigned>(3 + count), ~0U, 0U) == 0;
}

void reset_signals() {
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void check_cpu(const std::string& who, int cpu) {
  if (cpu < 0 || may_use_cpu(cpu)) return;
  throw InputError(who + ": cannot run on CPU " + std::to_string(cpu) +
                   "; choose one this process may use");
}

bool pin_to(int cpu) {
  if (cpu < 0) return true;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  return ::sched_setaffinity(0, sizeof set, &set) == 0;
}

}  // namespace missive::domains
