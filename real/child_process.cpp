#include "real/child_process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"

namespace missive {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// First byte of what the child writes into its pipe; the text follows, up to a zero byte.
constexpr char kReady = 'R';
constexpr char kFailed = 'F';

void write_report(int pipe, char kind, const std::string& text) {
  std::string message = kind + text;
  message.push_back('\0');
  std::string_view rest = message;
  while (!rest.empty()) {
    const ssize_t n = ::write(pipe, rest.data(), rest.size());
    if (n <= 0) return;  // the parent is gone; its death signal ends this process
    rest.remove_prefix(static_cast<std::size_t>(n));
  }
}

void close_all_but(std::vector<int> keep) {
  std::sort(keep.begin(), keep.end());
  unsigned int first = 3;
  for (const int fd : keep) {
    const auto kept = static_cast<unsigned int>(fd);
    if (kept < first) continue;
    if (kept > first) ::close_range(first, kept - 1, 0);
    first = kept + 1;
  }
  ::close_range(first, ~0U, 0);
}

void detach_standard_streams() {
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null || ::dup2(null.get(), 0) < 0 || ::dup2(null.get(), 1) < 0) {
    throw_errno("cannot open /dev/null");
  }
}

void set_signals() {
  for (const int signal : {SIGHUP, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGALRM, SIGCHLD}) {
    ::signal(signal, SIG_DFL);
  }
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  ::pthread_sigmask(SIG_SETMASK, &term, nullptr);
}

void drop_credentials(const Credentials& to) {
  // Groups first: setgroups and setresgid need the capabilities that setresuid gives up.
  if (::setgroups(0, nullptr) != 0 || ::setresgid(to.gid, to.gid, to.gid) != 0 ||
      ::setresuid(to.uid, to.uid, to.uid) != 0) {
    throw_errno("cannot change to uid " + std::to_string(to.uid));
  }
}

void die_with(pid_t parent) {
  // After the change of credentials, which clears the death signal.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) throw_errno("cannot set the parent-death signal");
  if (::getppid() != parent) ::_exit(1);  // it died before the line above
}

[[noreturn]] void run_child(const ChildProcess::Options& options, int pipe, pid_t parent,
                            const std::function<int(const ChildProcess::Ready&)>& body) {
  int status = 1;
  try {
    set_signals();
    detach_standard_streams();
    std::vector<int> keep = options.keep;
    keep.push_back(pipe);
    close_all_but(std::move(keep));
    ::prctl(PR_SET_NAME, options.name.c_str());
    if (options.drop_to) drop_credentials(*options.drop_to);
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw_errno("cannot set no_new_privs");
    die_with(parent);
    status = body([pipe](const std::string& text) { write_report(pipe, kReady, text); });
  } catch (const std::exception& e) {
    write_report(pipe, kFailed, e.what());
  } catch (...) {
    write_report(pipe, kFailed, "unknown exception");
  }
  // Not exit(3): destructors and atexit handlers of the parent's objects are not this process's.
  ::_exit(status);
}

}  // namespace

ChildProcess::ChildProcess(const Options& options, const std::function<int(const Ready&)>& body)
    : name_(options.name) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw_errno("cannot make a pipe for " + name_);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);

  // No handler of the parent may run in the child before the child has set its own.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) run_child(options, write_end.get(), parent, body);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    errno = error;
    throw_errno("cannot start " + name_);
  }
  pid_ = pid;
  write_end.reset();
  try {
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));  // pidfd_open(2)
    if (!pidfd_) throw_errno("cannot watch " + name_);
    await_ready(read_end.get(), options.start_deadline);
  } catch (...) {
    kill_now();
    throw;
  }
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : name_(std::move(other.name_)),
      report_(std::move(other.report_)),
      pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::move(other.pidfd_)) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  if (this != &other) {
    stop();
    name_ = std::move(other.name_);
    report_ = std::move(other.report_);
    pid_ = std::exchange(other.pid_, -1);
    pidfd_ = std::move(other.pidfd_);
  }
  return *this;
}

void ChildProcess::await_ready(int pipe, milliseconds deadline) {
  const auto end = steady_clock::now() + deadline;
  std::string message;
  while (message.empty() || message.back() != '\0') {
    const auto left = std::chrono::duration_cast<milliseconds>(end - steady_clock::now());
    if (left.count() <= 0) {
      throw RunError(name_ + ": not ready within " + std::to_string(deadline.count()) + " ms");
    }
    pollfd p{pipe, POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(left.count())) <= 0) continue;
    std::array<char, 1024> buffer{};
    const ssize_t n = ::read(pipe, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw RunError(name_ + ": ended before it was ready");
    message.append(buffer.data(), static_cast<std::size_t>(n));
  }
  message.pop_back();
  if (message.empty() || message.front() != kReady) {
    throw RunError(name_ + ": cannot start: " + message.substr(message.empty() ? 0 : 1));
  }
  report_ = message.substr(1);
}

bool ChildProcess::running() const {
  if (pid_ < 0) return false;
  pollfd p{pidfd_.get(), POLLIN, 0};  // readable once the process has ended
  return ::poll(&p, 1, 0) == 0;
}

bool ChildProcess::reap(milliseconds patience) noexcept {
  const auto end = steady_clock::now() + patience;
  for (;;) {
    const pid_t r = ::waitpid(pid_, nullptr, WNOHANG);
    if (r == pid_ || (r < 0 && errno == ECHILD)) {
      pid_ = -1;
      pidfd_.reset();
      return true;
    }
    const auto left = std::chrono::duration_cast<milliseconds>(end - steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd p{pidfd_.get(), POLLIN, 0};
    ::poll(&p, pidfd_ ? 1 : 0, static_cast<int>(std::min<long long>(left.count(), 50)));
  }
}

void ChildProcess::stop() noexcept {
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  if (!reap(milliseconds(2'000))) kill_now();
}

void ChildProcess::kill_now() noexcept {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  while (!reap(milliseconds(1'000))) {
  }
}

void wait_for_sigterm() {
  sigset_t term;
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  int signal = 0;
  while (::sigwait(&term, &signal) != 0 || signal != SIGTERM) {
  }
}

}  // namespace missive
