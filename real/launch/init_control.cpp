#include "real/launch/init_control.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <span>
#include <vector>

#include <linux/sched.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/mounts.h"
#include "real/launch/seccomp_filter.h"

namespace missive::launch {

namespace {

constexpr int kAnswerMs = 10'000;  // init does a few dozen system calls; longer means it hangs
// Whether uid 1000 is mapped in this process's user namespace.
bool maps_user() {
  std::ifstream map("/proc/self/uid_map");
  std::uint64_t inside = 0, outside = 0, count = 0;
  while (map >> inside >> outside >> count) {
    if (kUser >= inside && kUser - inside < count) return true;
  }
  return false;
}

// Blocks all signals while it lives: the clone must not run the launcher's handlers.
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

// Waits for init's report on a step; returns what it says, or throws when init says nothing.
Report await_report(const UniqueFd& control, const std::string& what) {
  pollfd ready{control.get(), POLLIN, 0};
  int n = 0;
  do {
    n = ::poll(&ready, 1, kAnswerMs);
  } while (n < 0 && errno == EINTR);
  if (n == 0) throw RunError(what + ": no answer from its init within 10 s");
  Report report;
  if (::recv(control.get(), &report, sizeof report, 0) != static_cast<ssize_t>(sizeof report)) {
    throw RunError(what + ": its init died");
  }
  return report;
}

// New namespaces were asked for in vain.
[[noreturn]] void throw_refused(const std::string& who, int error) {
  const std::string why = std::strerror(error);
  if (error == EPERM || error == ENOSYS || error == EINVAL) {
    throw NotAvailable(who + ": new namespaces refused (" + why + ")");
  }
  throw RunError(who + ": " + why);
}

void append(std::string& message, const std::string& text, const char* what) {
  if (text.find('\0') != std::string::npos) {
    throw InputError(std::string("cannot start the application: ") + what + " contains a NUL");
  }
  message.append(text).push_back('\0');
}

// execvp(3)'s rule: a name with a slash is a path, any other is tried in each directory of PATH.
std::vector<std::string> programs_to_try(const Environment& environment) {
  const std::string& name = environment.command.front();
  if (name.find('/') != std::string::npos) return {name};
  std::string path = "/usr/bin:/bin";
  for (const std::string& each : environment.variables) {
    if (each.starts_with("PATH=")) path = each.substr(5);
  }
  std::vector<std::string> programs;
  for (std::size_t at = 0; at <= path.size();) {
    const std::size_t end = std::min(path.find(':', at), path.size());
    if (end > at) programs.push_back(path.substr(at, end - at) + "/" + name);
    at = end + 1;
  }
  return programs;
}

std::string start_message(const Environment& environment, bool late_root, bool display) {
  if (environment.command.empty() || environment.command.front().empty()) {
    throw InputError("cannot start the application: its command is empty");
  }
  const std::vector<std::string> programs = programs_to_try(environment);
  const StartMessage head{late_root ? 1U : 0U, static_cast<std::uint32_t>(programs.size()),
                          static_cast<std::uint32_t>(environment.command.size()),
                          static_cast<std::uint32_t>(environment.variables.size()),
                          display ? 1U : 0U};
  std::string message(sizeof head, '\0');
  std::memcpy(message.data(), &head, sizeof head);
  for (const std::string& each : programs) append(message, each, "its path");
  for (const std::string& each : environment.command) append(message, each, "an argument");
  for (const std::string& each : environment.variables) append(message, each, "a variable");
  if (display) append(message, environment.x11_socket.filename(), "the display's name");
  if (message.size() > kMaxStartMessage ||
      programs.size() + environment.command.size() + environment.variables.size() > kMaxStrings) {
    throw InputError("cannot start the application: command and environment exceed 64 KiB");
  }
  return message;
}

void send_with_fds(const UniqueFd& control, std::string& text, std::span<const int> fds) {
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> buffer{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = buffer.data();
  message.msg_controllen = CMSG_SPACE(fds.size_bytes());
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(fds.size_bytes());
  std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
  if (::sendmsg(control.get(), &message, MSG_NOSIGNAL) < 0) {
    throw_errno("cannot start the application: sending to its init");
  }
}

}  // namespace

InitProcess clone_init(Init init, std::uint64_t namespaces, const std::string& who) {
  if (init.confinement == Confinement::full) init.filter = seccomp_program();
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw_errno(who + ": socket pair");
  }
  InitProcess made;
  made.control = UniqueFd(ends[0]);
  const UniqueFd inside(ends[1]);
  std::vector<char> message(kMaxStartMessage);
  std::vector<char*> pointers(kMaxStrings + 3);
  init.control = inside.get();
  init.message = message;
  init.pointers = pointers;
  init.maps_user = maps_user();
  int pidfd = -1;
  clone_args arguments{};
  arguments.flags = namespaces | CLONE_PIDFD;
  arguments.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  {
    const SignalsBlocked guard;
    const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) run_init(init);
    if (pid < 0) {
      throw_refused(who, errno);
    }
    made.pid = static_cast<pid_t>(pid);
    made.pidfd = UniqueFd(pidfd);
  }
  made.who = who;
  return made;  // `inside` is closed here: init has its copy, and ours would hide its death
}

std::int64_t await_prepared(InitProcess& process) {
  if (process.prepared_ns != 0) return process.prepared_ns;
  const Report report = await_report(process.control, process.who);
  if (report.step == Step::namespaces) throw_refused(process.who, report.error);
  if (report.step != Step::none) {
    throw RunError(process.who + ": " + describe(report.step) + ": " + std::strerror(report.error));
  }
  return process.prepared_ns = report.at_ns;
}

void start_application(InitProcess& process, const UniqueFd* root, const Environment& environment,
                       int output, int log) {
  UniqueFd display;
  if (root != nullptr && !environment.x11_socket.empty()) {
    display = clone_mount(environment.x11_socket);
  }
  std::string message = start_message(environment, root != nullptr, static_cast<bool>(display));
  await_prepared(process);
  std::vector<int> fds{output, log};
  if (root != nullptr) fds.push_back(root->get());
  if (display) fds.push_back(display.get());
  send_with_fds(process.control, message, fds);
  const Report report = await_report(process.control, "cannot start the application");
  if (report.step == Step::none) return;
  std::string step = describe(report.step);
  if (report.step == Step::exec) step += " " + environment.command.front();
  throw RunError("cannot start the application: " + step + ": " + std::strerror(report.error));
}

namespace {

void reap(InitProcess& process) noexcept {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(process.pidfd.get()), &info, WEXITED) != 0 &&
         errno == EINTR) {
  }
  process.pid = -1;
  process.pidfd.reset();
  process.control.reset();
}

}  // namespace

void kill_init(InitProcess& process) noexcept {
  if (process.pid < 0) return;
  // The end of a pid namespace's init is the end of every process in it, and init is not reaped
  // before they all are: pid_namespaces(7).
  ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), SIGKILL, nullptr, 0);
  reap(process);
}

void dismiss_init(InitProcess& process) noexcept {
  if (process.pid < 0) return;
  process.control.reset();
  pollfd ended{process.pidfd.get(), POLLIN, 0};
  int n = 0;
  do {
    n = ::poll(&ended, 1, kAnswerMs);
  } while (n < 0 && errno == EINTR);
  if (n == 0) ::syscall(SYS_pidfd_send_signal, process.pidfd.get(), SIGKILL, nullptr, 0);
  reap(process);
}

bool alive(const InitProcess& process) {
  if (process.pid < 0) return false;
  pollfd ended{process.pidfd.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 0;
}

}  // namespace missive::launch
