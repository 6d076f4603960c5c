#include "real/process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"

namespace missive {

namespace {

constexpr std::size_t kMaxResult = 64u << 20;
volatile std::sig_atomic_t interrupted = 0;

void on_signal(int) { interrupted = 1; }

void write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // the parent is gone; so are we, soon
    data += n;
    size -= static_cast<std::size_t>(n);
  }
}

// First byte of the message: '=' result, or the exit status of the Error that ended the work.
[[noreturn]] void child(const std::function<std::string()>& work, int out, pid_t parent) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(0);  // it died before the line above
  ::signal(SIGINT, SIG_IGN);
  ::signal(SIGTERM, SIG_DFL);
  ::signal(SIGPIPE, SIG_IGN);
  std::string message;
  try {
    message = "=" + work();
  } catch (const Error& e) {
    message = std::string(1, static_cast<char>(e.status())) + e.what();
  } catch (const std::exception& e) {
    message = std::string(1, static_cast<char>(ExitStatus::run_failed)) + e.what();
  }
  write_all(out, message.data(), message.size());
  ::_exit(0);  // not exit(): the parent's buffers and handlers are not ours to run
}

// Kills and reaps on every way out.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }
  int wait() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  pid_t pid_;
};

// As the kind of Error that the child threw: callers catch by kind.
[[noreturn]] void rethrow(ExitStatus status, const std::string& what) {
  switch (status) {
    case ExitStatus::bad_input:
      throw InputError(what);
    case ExitStatus::run_failed:
      throw RunError(what);
    case ExitStatus::not_available:
      throw NotAvailable(what);
    case ExitStatus::interrupted:
      throw Interrupted(what);
    default:
      throw Error(status, what);
  }
}

// A forked child and what it has said so far.
struct Running {
  std::string what;
  UniqueFd in;
  Child process;
  std::string message = {};
  bool ended = false;  // no more will come

  void read_some() {
    char buffer[1 << 16];
    const ssize_t n = ::read(in.get(), buffer, sizeof buffer);
    if (n < 0 && errno != EINTR) throw_errno(what + ": reading the result");
    ended = n == 0;
    if (n > 0) message.append(buffer, static_cast<std::size_t>(n));
    if (message.size() > kMaxResult) throw RunError(what + ": result larger than 64 MiB; stopped");
  }
  std::string result() {
    const int status = process.wait();
    if (message.empty() || !WIFEXITED(status)) {
      const std::string how = WIFSIGNALED(status)
                                  ? std::string("killed by ") + ::strsignal(WTERMSIG(status))
                                  : "no result";
      throw RunError(what + ": its process ended early (" + how + ")");
    }
    if (message[0] == '=') return message.substr(1);
    rethrow(static_cast<ExitStatus>(static_cast<unsigned char>(message[0])), message.substr(1));
  }
};

// Until all have said all, or `end`.
void read_all(std::vector<Running>& all, std::chrono::steady_clock::time_point end) {
  for (;;) {
    check_interrupt();
    std::vector<pollfd> polled;
    std::vector<Running*> waited;
    for (Running& one : all)
      if (!one.ended) polled.push_back({one.in.get(), POLLIN, 0}), waited.push_back(&one);
    if (waited.empty()) return;
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        end - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      throw RunError(waited.front()->what + ": no answer before the deadline; stopped");
    const int slice = static_cast<int>(std::min<std::int64_t>(left.count(), 200));
    if (::poll(polled.data(), polled.size(), slice) <= 0) continue;
    for (std::size_t i = 0; i < polled.size(); ++i)
      if (polled[i].revents != 0) waited[i]->read_some();
  }
}

void wait_until_closed(int fd) {
  char byte;
  while (::read(fd, &byte, 1) < 0 && errno == EINTR) {
  }
}

struct Pipe {
  explicit Pipe(const std::string& what) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno(what + ": pipe");
    in.reset(ends[0]), out.reset(ends[1]);
  }
  UniqueFd in, out;
};

}  // namespace

std::vector<std::string> run_in_children(const std::vector<ChildWork>& works,
                                         std::chrono::milliseconds deadline) {
  if (works.empty()) return {};
  const pid_t parent = ::getpid();
  Pipe gate(works.front().what);
  std::vector<Running> all;
  all.reserve(works.size());
  for (const ChildWork& w : works) {
    Pipe answer(w.what);
    const pid_t pid = ::fork();
    if (pid < 0) throw_errno(w.what + ": fork");
    if (pid == 0) {
      answer.in.reset(), gate.out.reset();
      wait_until_closed(gate.in.get());
      gate.in.reset();
      child(w.work, answer.out.get(), parent);
    }
    all.push_back({w.what, std::move(answer.in), Child(pid)});
  }
  gate.out.reset();
  read_all(all, std::chrono::steady_clock::now() + deadline);
  std::vector<std::string> results;
  results.reserve(all.size());
  for (Running& one : all) results.push_back(one.result());
  return results;
}

std::string run_in_child(const std::function<std::string()>& work,
                         std::chrono::milliseconds deadline, const std::string& what) {
  return run_in_children({{work, what}}, deadline).front();
}

void install_interrupt_handler() {
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;           // what it interrupts may have no stack for it
  ::sigaction(SIGINT, &action, nullptr);  // no SA_RESTART: waits return and look at the flag
  ::sigaction(SIGTERM, &action, nullptr);
}

bool interrupt_requested() { return interrupted != 0; }

void check_interrupt() {
  if (interrupted) throw Interrupted("interrupted; results so far are kept");
}

}  // namespace missive
