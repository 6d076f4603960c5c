#pragma once
// Processes of the micro-measurements: forked, heard of, ended.

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <new>
#include <string>

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "real/fd.h"
#include "real/measure/tiny_program.h"

namespace missive::measure {

// Throws RunError with errno's text.
inline void micro_must(bool good, const char* what) {
  if (!good) throw_errno(std::string("micro-measurement: ") + what);
}

inline void reap(pid_t child) {
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

inline void end(pid_t child) {
  ::kill(child, SIGKILL);
  reap(child);
}

// clone3(2) like fork(2), into new namespaces. -1 when refused.
inline pid_t fork_into(std::uint64_t flags) {
  clone_args arguments{};
  arguments.flags = flags;
  arguments.exit_signal = SIGCHLD;
  return static_cast<pid_t>(::syscall(SYS_clone3, &arguments, sizeof arguments));
}

// What a new thread or process says first: an eventfd, eventfd(2).
class Word {
 public:
  Word() : event_(::eventfd(0, EFD_CLOEXEC)) { micro_must(event_.get() >= 0, "eventfd"); }
  void say() const {
    const std::uint64_t one = 1;
    if (::write(event_.get(), &one, sizeof one) < 0) ::_exit(1);
  }
  void await() const {
    std::uint64_t count = 0;
    micro_must(::read(event_.get(), &count, sizeof count) == sizeof count, "read of the eventfd");
  }

 private:
  UniqueFd event_;
};

inline constexpr std::size_t kReportBytes = 4096;

// What a child tells its parent.
struct Report {
  std::array<double, 4> seconds{};
  std::int64_t stamp = 0;
  int error = 0;
};

class SharedReport {
 public:
  SharedReport()
      : at_(::mmap(nullptr, kReportBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0)) {
    micro_must(at_ != MAP_FAILED, "shared memory");
    new (at_) Report;
  }
  SharedReport(const SharedReport&) = delete;
  SharedReport& operator=(const SharedReport&) = delete;
  ~SharedReport() { ::munmap(at_, kReportBytes); }
  Report& operator*() const { return *static_cast<Report*>(at_); }
  Report* operator->() const { return static_cast<Report*>(at_); }

 private:
  void* at_;
};

[[noreturn]] inline void speak_and_wait(const Word& word) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  word.say();
  for (;;) ::pause();
}

// A static program of a few instructions that says a word and waits; in memory, on no file system.
class TinyProgram {
 public:
  TinyProgram() : file_(::memfd_create("program", MFD_CLOEXEC)) {
    const std::string text = tiny_program("x");
    int ends[2];
    micro_must(
        ::write(file_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
            ::pipe2(ends, O_CLOEXEC) == 0,
        "a small program");
    from_.reset(ends[0]);
    to_.reset(ends[1]);
  }
  // In a forked child: it dies with its parent.
  [[noreturn]] void become() const {
    char name[] = "tiny";
    char* argv[] = {name, nullptr};
    char* environment[] = {nullptr};
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(to_.get(), STDOUT_FILENO);
    ::syscall(SYS_execveat, file_.get(), "", argv, environment, AT_EMPTY_PATH);
    ::_exit(1);
  }
  bool heard() const {
    char said = 0;
    return ::read(from_.get(), &said, 1) == 1;
  }

 private:
  UniqueFd file_, from_, to_;
};

}  // namespace missive::measure
