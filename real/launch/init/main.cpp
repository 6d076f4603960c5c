// The program of a picoprocess's init: what process 1 of its pid namespace does from its first
// instruction to the application's exec, and afterwards. Static, without a C library or the C++
// runtime (init/system.h): nothing of either is initialised, and it has no memory but its own.

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "real/launch/init/messages.h"
#include "real/launch/init/mounts.h"
#include "real/launch/init/system.h"
#include "real/launch/init_protocol.h"
#include "real/launch/load_plan.h"

namespace missive::launch::init {

namespace {

alignas(16) std::array<char, 16 * 1024> application_stack;

// No privilege may come back: capabilities(7), "securebits"; no_new_privs. What is left are the
// capabilities `kept`, a set of bits.
bool drop_privileges(bool maps_user, std::uint32_t kept = 0) {
  for (int capability = 0; call(SYS_prctl, PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;
       ++capability) {
  }
  if (last_error() != EINVAL) return false;  // EINVAL: past the last capability
  if (call(SYS_prctl, PR_SET_SECUREBITS,
           SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP_LOCKED |
               SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE |
               SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
           0, 0, 0) != 0) {
    return false;
  }
  if (maps_user &&
      (call(SYS_setgroups, 0, nullptr) != 0 || call(SYS_setresgid, kUser, kUser, kUser) != 0 ||
       call(SYS_setresuid, kUser, kUser, kUser) != 0)) {
    return false;
  }
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> sets{};
  sets[0].effective = sets[0].permitted = kept;
  return call(SYS_capset, &header, sets.data()) == 0 &&
         call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// Tries the programs in order, as execvp(3) does. Returns only when none could be started.
Step try_programs(const Start& start) {
  int error = ENOENT;
  for (char** each = start.programs; *each != nullptr; ++each) {
    call(SYS_execve, *each, start.arguments, start.variables);
    const int why = last_error();
    if (why != ENOENT && why != ENOTDIR) error = why;  // as execvp(3) reports
    if (why != ENOENT && why != ENOTDIR && why != EACCES) break;
  }
  last_error() = error;
  return Step::exec;
}

// What the loader has, in its places (load_plan.h), and its program, which exec closes. Descriptors
// received earlier may have those numbers: all go out of the way first.
bool place_for_loader(const Start& start, int& loader) {
  constexpr int kAway = 64;
  const int socket = call_int(SYS_fcntl, start.loader_socket, F_DUPFD, kAway);
  const int image = call_int(SYS_fcntl, start.image, F_DUPFD, kAway);
  loader = call_int(SYS_fcntl, start.loader, F_DUPFD_CLOEXEC, kAway);
  int faults = -1;
  if (start.faults >= 0 && (faults = call_int(SYS_fcntl, start.faults, F_DUPFD, kAway)) < 0)
    return false;
  if (socket < 0 || image < 0 || loader < 0 || call(SYS_close_range, 3U, kAway - 1, 0U) != 0 ||
      call(SYS_dup2, socket, kLoaderSocket) < 0 || call(SYS_dup2, image, kLoaderImage) < 0 ||
      (faults >= 0 &&
       (call(SYS_dup2, faults, kLoaderFaults) < 0 || call(SYS_close, faults) != 0))) {
    return false;
  }
  return call(SYS_close, socket) == 0 && call(SYS_close, image) == 0;
}

// Standard descriptors, and nothing else that stays open.
bool place_descriptors(const Start& start, int& loader) {
  const int nothing = call_int(SYS_open, "/dev/null", O_RDONLY, 0);
  if (nothing < 0 || call(SYS_dup2, nothing, 0) < 0 || call(SYS_dup2, start.output, 1) < 0 ||
      call(SYS_dup2, start.log, 2) < 0) {
    return false;
  }
  if (start.loader >= 0) return place_for_loader(start, loader);
  return call(SYS_close_range, 3U, ~0U, 0U) == 0;
}

Step exec(const Start& start, int loader) {
  if (loader < 0) return try_programs(start);
  call(SYS_execveat, loader, "", start.arguments, start.variables, AT_EMPTY_PATH);
  return Step::exec;
}

// The application's process until its exec. It shares init's memory, so init sees what failed.
struct Application {
  const Prepare& prepare;
  const Start& start;
  bool maps_user;
  Step failed = Step::none;
};

void block_signals(std::uint64_t which) {
  call(SYS_rt_sigprocmask, SIG_SETMASK, &which, nullptr, sizeof which);
}
constexpr std::uint64_t bit_of(int signal) { return std::uint64_t{1} << (signal - 1); }

// Everything up to exec. Returns the step that failed.
Step become_application(const Application& self) {
  int loader = -1;
  if (!place_descriptors(self.start, loader)) return Step::privileges;
  const rlimit no_core{0, 0};
  if (call(SYS_setsid) < 0 || call(SYS_setrlimit, RLIMIT_CORE, &no_core) != 0 ||
      !drop_privileges(self.maps_user)) {
    return Step::privileges;
  }
  if (call(SYS_chdir, "/home/u") != 0) return Step::privileges;
  block_signals(0);
  if (self.prepare.confinement == Confinement::none) return exec(self.start, loader);
  const sock_fprog program{static_cast<unsigned short>(self.prepare.filter.size()),
                           const_cast<sock_filter*>(self.prepare.filter.data())};
  if (call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) return Step::filter;
  return exec(self.start, loader);
}

void run_application(void* context) {
  Application& self = *static_cast<Application*>(context);
  self.failed = become_application(self);
  leave(127);
}

// Kills all descendants. For Confinement::none only: in a pid namespace the kernel does it when
// init ends. As sub-reaper (PR_SET_CHILD_SUBREAPER) this process inherits whatever its children
// leave.
void kill_descendants() {
  std::array<char, 4096> text;
  for (;;) {
    const int list = call_int(SYS_open, "/proc/thread-self/children", O_RDONLY | O_CLOEXEC, 0);
    const long n = call(SYS_read, list, text.data(), text.size());
    call(SYS_close, list);
    pid_t pid = 0;
    for (long i = 0; i < n; ++i) {
      const char c = text[static_cast<std::size_t>(i)];
      if (c >= '0' && c <= '9') {
        pid = pid * 10 + (c - '0');
      } else if (pid > 0) {
        call(SYS_kill, pid, SIGKILL);
        pid = 0;
      }
    }
    if (call(SYS_wait4, -1, nullptr, 0, nullptr) < 0 && last_error() == ECHILD) return;
  }
}

// Every process of the pid namespace but this one, which is the first; waits until they are gone.
// kill(2), pid_namespaces(7).
void kill_namespace() {
  call(SYS_kill, -1, SIGKILL);
  while (call(SYS_wait4, -1, nullptr, 0, nullptr) > 0 || last_error() != ECHILD) {
  }
}

// Reaps until the application ends or the launcher is gone.
[[noreturn]] void keep_house(const Prepare& prepare, pid_t application) {
  bool keeps = false;
  const auto end = [&](int status) {
    if (prepare.confinement == Confinement::none) kill_descendants();
    // Before its watched memory is let go (KeepMessage), which the end of this process does.
    if (keeps) kill_namespace();
    leave(status);
  };
  // SIGCHLD is blocked from the beginning: one that came before this waits in it.
  const std::uint64_t ends_of_children = bit_of(SIGCHLD);
  const int children = call_int(SYS_signalfd4, -1, &ends_of_children, sizeof ends_of_children,
                                SFD_CLOEXEC | SFD_NONBLOCK);
  if (children < 0) end(126);
  for (;;) {
    int status = 0;
    long ended = 0;
    while ((ended = call(SYS_wait4, -1, &status, WNOHANG, nullptr)) > 0) {
      if (ended == application) {
        end(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
      }
    }
    std::array<pollfd, 2> events{pollfd{kControl, POLLIN, 0}, pollfd{children, POLLIN, 0}};
    call(SYS_poll, events.data(), events.size(), -1);
    if (events[0].revents != 0) {
      if (!keep_descriptor()) end(128 + SIGKILL);
      keeps = true;
    }
    signalfd_siginfo info;
    call(SYS_read, children, &info, sizeof info);
  }
}

// As the kernel has it; glibc's struct sigaction is another.
struct KernelSigaction {
  void (*handler)(int) = SIG_DFL;
  unsigned long flags = 0;
  void (*restorer)() = nullptr;
  std::uint64_t mask = 0;
};

// Exec leaves ignored signals ignored, and blocked ones (all of them) blocked.
void reset_signals() {
  const KernelSigaction by_default;
  for (int signal = 1; signal < NSIG; ++signal) {
    call(SYS_rt_sigaction, signal, &by_default, nullptr, sizeof by_default.mask);
  }
  block_signals(bit_of(SIGCHLD));
}

// The control socket is all of the launcher's that may live on in here; least of all may another
// picoprocess's, whose end of file means "the launcher is gone". It takes 0 to 2, so that
// descriptors received later never collide with those numbers.
bool keep_control_only() {
  return call(SYS_dup2, kControl, 1) == 1 && call(SYS_dup2, kControl, 2) == 2 &&
         call(SYS_close_range, 3U, ~0U, 0U) == 0;
}

void close_all_but_control() {
  const int error = last_error();
  call(SYS_close_range, 3U, ~0U, 0U);
  last_error() = error;
}

// Up to the first report.
Step get_ready(Prepare& prepare, bool& maps_user) {
  if (!keep_control_only()) return Step::prepare;
  call(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  call(SYS_setsid);
  reset_signals();
  if (!receive_prepare(prepare)) return Step::prepare;
  const bool full = prepare.confinement == Confinement::full;
  if (!full) call(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  if (call(SYS_unshare, full ? kOwnNamespaces : CLONE_NEWNS) != 0) return Step::namespaces;
  Step step = prepare_mounts(full, maps_user);
  if (step == Step::none && prepare.root >= 0) {
    step = place_root(prepare.root, prepare.display, prepare.display_name);
    close_all_but_control();
  }
  return step;
}

// Up to the second one.
Step start_application(const Prepare& prepare, bool maps_user, pid_t& pid, Start& start) {
  if (!receive_start(start)) return Step::receive;
  if (prepare.root < 0) {
    const Step step = place_root(start.root, start.display, start.display_name);
    if (step != Step::none) return step;
  }
  Application application{prepare, start, maps_user};
  pid = run_sharing_memory(run_application, &application,
                           application_stack.data() + application_stack.size());
  if (pid < 0) return Step::fork;
  return application.failed;
}

[[noreturn]] void run() {
  last_error() = 0;
  Prepare prepare;
  bool maps_user = true;
  Step step = get_ready(prepare, maps_user);
  send_report(step, last_error());
  if (step != Step::none) leave(126);
  pid_t application = -1;
  Start start;
  step = start_application(prepare, maps_user, application, start);
  send_report(step, last_error());
  if (step != Step::none) leave(126);
  close_all_but_control();
  // Reaping needs none; ending the processes of another user does.
  if (prepare.confinement == Confinement::full)
    drop_privileges(false, start.faults >= 0 ? 1U << CAP_KILL : 0U);
  keep_house(prepare, application);
}

}  // namespace

}  // namespace missive::launch::init

extern "C" [[noreturn]] void missive_init_main() { missive::launch::init::run(); }
