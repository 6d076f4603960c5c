#include "sim/isolated.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "models/error.h"

namespace missive {

namespace {

using Clock = std::chrono::steady_clock;

// First byte of an answer: which way the job ended.
constexpr char kReturned = 'R', kBadInput = 'I', kFailed = 'F';

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_;
};

// Kills and reaps the child unless it has been reaped.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      wait();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
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

[[noreturn]] void fail(const std::string& what, const std::string& why) {
  throw RunError(what + ": " + why);
}

bool write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

std::string answer_of(const std::function<std::string()>& job) {
  try {
    return kReturned + job();
  } catch (const InputError& e) {
    return std::string(1, kBadInput) + e.what();
  } catch (const std::exception& e) {
    return std::string(1, kFailed) + e.what();
  } catch (...) {
    return std::string(1, kFailed) + "an exception of unknown type";
  }
}

[[noreturn]] void be_child(const std::function<std::string()>& job, int answer_fd, int output_fd,
                           pid_t parent) {
  // prctl(2): if the parent dies first, so does this process; it may be dead already.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  for (int sig : {SIGINT, SIGTERM, SIGPIPE, SIGABRT}) ::signal(sig, SIG_DFL);
  ::dup2(output_fd, STDOUT_FILENO);
  ::dup2(output_fd, STDERR_FILENO);
  const std::string answer = answer_of(job);
  ::_exit(write_all(answer_fd, answer.data(), answer.size()) ? 0 : 1);
}

// Reads until the child closes its end.
std::string read_answer(int fd, const std::string& what, const IsolationLimits& limits) {
  const auto deadline = Clock::now() + limits.timeout;
  std::string answer;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0)
      fail(what, "no answer within " + std::to_string(limits.timeout.count()) +
                     " ms; make the plan smaller or raise the limit");
    pollfd ready{fd, POLLIN, 0};
    // Woken at least once a second so that a clock step or a huge limit cannot overflow poll(2).
    if (::poll(&ready, 1, static_cast<int>(std::min<std::int64_t>(left, 1000))) <= 0) continue;
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(what, std::string("cannot read the answer: ") + std::strerror(errno));
    if (n == 0) return answer;
    answer.append(buffer.data(), static_cast<std::size_t>(n));
    if (answer.size() > limits.answer_bytes) fail(what, "the answer is larger than allowed");
  }
}

// The last line the child printed, at most 200 characters, as " (...)"; "" when it was silent.
std::string last_words(int fd) {
  constexpr off_t kTail = 4096;
  const off_t end = ::lseek(fd, 0, SEEK_END);
  if (end <= 0) return "";
  const off_t from = std::max<off_t>(0, end - kTail);
  std::string tail(static_cast<std::size_t>(end - from), '\0');
  const ssize_t n = ::pread(fd, tail.data(), tail.size(), from);
  tail.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  tail.erase(tail.find_last_not_of(" \n") + 1);
  tail.erase(0, tail.rfind('\n') + 1);
  return tail.empty() ? "" : fmt::format(" ({})", tail.substr(0, 200));
}

}  // namespace

std::string run_isolated(const std::string& what, const std::function<std::string()>& job,
                         const IsolationLimits& limits) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    fail(what, std::string("cannot make a pipe: ") + std::strerror(errno));
  Fd from(ends[0]), to(ends[1]);
  // memfd_create(2): a file without a name, gone with its last descriptor.
  Fd output(::memfd_create("output", MFD_CLOEXEC));
  if (output.get() < 0)
    fail(what, std::string("cannot make a memory file: ") + std::strerror(errno));

  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) fail(what, std::string("cannot start a process: ") + std::strerror(errno));
  if (pid == 0) be_child(job, to.get(), output.get(), parent);
  Child child(pid);
  to.reset();
  const std::string answer = read_answer(from.get(), what, limits);
  const int status = child.wait();

  if (WIFSIGNALED(status)) {
    const int sig = WTERMSIG(status);
    if (sig == SIGINT || sig == SIGTERM) throw Interrupted(what + ": interrupted");
    fail(what,
         std::string("the process ended by signal ") + ::strsignal(sig) + last_words(output.get()));
  }
  if (WEXITSTATUS(status) != 0 || answer.empty())
    fail(what, "the process ended with status " + std::to_string(WEXITSTATUS(status)) +
                   " and no complete answer" + last_words(output.get()));
  const std::string body = answer.substr(1);
  if (answer[0] == kReturned) return body;
  if (answer[0] == kBadInput) throw InputError(body);
  fail(what, body);
}

}  // namespace missive
