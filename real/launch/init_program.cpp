#include "real/launch/init_program.h"

#include <csignal>
#include <cstddef>
#include <ctime>
#include <span>

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "real/launch/init/raw_call.h"
#include "real/launch/init_protocol.h"
#include "real/launch/sealed_memory.h"

// The program, from init.cmake.
extern "C" const std::byte missive_init_program[];
extern "C" const std::byte missive_init_program_end[];

namespace missive::launch {

namespace {

using init::raw_call;

// Blocks all signals while it lives: the new process must not run the launcher's handlers.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_{};
};

// Exec leaves capabilities to root and to whom they are ambient: capabilities(7).
[[gnu::no_sanitize("thread")]] void make_capabilities_ambient() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[2] = {};
  raw_call(SYS_capget, &header, sets);
  for (auto& each : sets) each.inheritable = each.permitted;
  raw_call(SYS_capset, &header, sets);
  // Those that are not permitted (EPERM) or do not exist (EINVAL) stay away.
  for (int capability = 0; capability < 64; ++capability) {
    raw_call(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0);
  }
}

}  // namespace

const UniqueFd& init_program() {
  static const UniqueFd program = above_standard(
      sealed_program_of({missive_init_program,
                         static_cast<std::size_t>(missive_init_program_end - missive_init_program)},
                        "init"));
  return program;
}

UniqueFd above_standard(UniqueFd fd) {
  if (fd.get() > STDERR_FILENO) return fd;
  UniqueFd above(::fcntl(fd.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  if (!above) throw_errno("cannot copy a descriptor");
  return above;
}

// In the new process, in the launcher's memory, beside the launcher's threads: bare system calls,
// and nothing written but this stack. It ends by exec or by returning.
[[gnu::no_sanitize("thread")]] int InitStart::run(void* self) {
  const InitStart& start = *static_cast<const InitStart*>(self);
  long result = raw_call(SYS_dup2, start.control_, kControl);  // and not close-on-exec
  if (result == kControl) {
    if (start.pass_capabilities_) make_capabilities_ambient();
    const char* const arguments[] = {"init", nullptr};
    const char* const no_variables[] = {nullptr};
    result = raw_call(SYS_execveat, start.program_, "", arguments, no_variables, AT_EMPTY_PATH);
  }
  timespec now{};
  raw_call(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
  const Report report{Step::program, static_cast<int>(-result),
                      std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec};
  raw_call(SYS_write, start.control_, &report, sizeof report);
  return 127;
}

pid_t InitStart::spawn(std::uint64_t namespaces, UniqueFd& pidfd) {
  pass_capabilities_ = ::geteuid() != 0;
  int made = -1;
  const SignalsBlocked guard;
  const int pid =
      ::clone(run, stack_.data() + stack_.size(),
              static_cast<int>(CLONE_VM | CLONE_PIDFD | namespaces) | SIGCHLD, this, &made);
  if (pid >= 0) pidfd = UniqueFd(made);
  return pid;
}

}  // namespace missive::launch
