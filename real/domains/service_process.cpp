#include "real/domains/service_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace missive::domains {

namespace {

void close_all_but(std::array<int, 3> keep) {
  std::sort(keep.begin(), keep.end());
  unsigned int first = 3;
  for (const int fd : keep) {
    if (fd < static_cast<int>(first)) continue;
    const auto kept = static_cast<unsigned int>(fd);
    if (kept > first) ::close_range(first, kept - 1, 0);
    first = kept + 1;
  }
  ::close_range(first, ~0U, 0);
}

// The parent may have handlers of its own (other mechanisms catch SIGSEGV and SIGSYS); in the child
// a fault must end it.
void default_signals() {
  for (const int number : {SIGHUP, SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGUSR1,
                           SIGSEGV, SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGCHLD, SIGSYS})
    ::signal(number, SIG_DFL);
  ::signal(SIGINT, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void run_child(pid_t parent, std::array<int, 3> keep, const cpu_set_t* pinned,
                            const std::function<void()>& serve) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);  // it died before the line above
  default_signals();
  close_all_but(keep);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  if (pinned != nullptr) ::sched_setaffinity(0, sizeof *pinned, pinned);
  serve();
  ::_exit(0);
}

// Taken when the program starts: later this thread may pin itself, and that says nothing about
// where others may run.
const cpu_set_t& at_start() {
  static const cpu_set_t allowed = [] {
    cpu_set_t set;
    CPU_ZERO(&set);
    ::sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  return allowed;
}
[[maybe_unused]] const cpu_set_t& taken = at_start();

cpu_set_t only(const std::string& mechanism, int cpu) {
  if (!may_use_cpu(cpu))
    throw InputError(mechanism + ": cannot run on CPU " + std::to_string(cpu) +
                     "; choose one this process may use");
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  return set;
}

std::string how_it_ended(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return "exit status " + std::to_string(info.si_status);
  return std::string("killed by ") + ::strsignal(info.si_status);
}

}  // namespace

bool may_use_cpu(int cpu) {
  return cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET(static_cast<std::size_t>(cpu), &at_start());
}

int another_cpu() {
  const int here = ::sched_getcpu();
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (cpu != here && may_use_cpu(cpu)) return cpu;
  return -1;
}

void ServiceProcess::start(const std::string& mechanism, std::array<int, 3> keep, int cpu,
                           const std::function<void()>& serve) {
  // Checked here, so that the error reaches the caller.
  const cpu_set_t pinned = cpu >= 0 ? only(mechanism, cpu) : cpu_set_t{};
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0)
    throw_errno(mechanism +
                ": cannot fork (limits: kernel.pid_max, kernel.threads-max, RLIMIT_NPROC, the "
                "cgroup's pids.max, memory)");
  if (pid == 0) run_child(parent, keep, cpu >= 0 ? &pinned : nullptr, serve);
  pid_ = pid;
}

void ServiceProcess::kill_now() noexcept {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

bool ServiceProcess::alive() const {
  if (pid_ <= 0) return false;
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

void ServiceProcess::fault(const char* mechanism, bool late) {
  std::string why = "it ended before";
  if (late) {
    why = "no answer before the deadline; it was killed";
  } else if (pid_ > 0) {
    // A closed pipe is seen a moment before the process can be waited for. Blocks only for a
    // process that is about to end; one that only closed its end is ended here.
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    for (int i = 0; i < 100 && info.si_pid == 0; ++i) {
      ::usleep(1000);
      ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    }
    why = info.si_pid != 0 ? how_it_ended(info) : "it hung up; it was killed";
  }
  kill_now();
  throw DomainFault(std::string(mechanism) + ": the service process gave no reply: " + why);
}

}  // namespace missive::domains
