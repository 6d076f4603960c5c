#pragma once
// A child process that runs one function of this program and dies with its parent. The origin and
// the cache are such children: separate address spaces, separate uids where possible, nothing left
// behind.
//
// The child is forked without exec: what the parent mapped before the fork stays mapped in it.
// Start children before the parent holds secrets, and before it starts threads (fork(2): only the
// calling thread lives on in the child, a lock another thread held stays locked).
//
// In the child, before the function runs:
//   - stdin and stdout are /dev/null; every other descriptor above stderr that is not in `keep` is
//     closed (close_range(2)), so that an untrusted child inherits nothing of its parent;
//   - SIGTERM is blocked, to be collected by wait_for_sigterm(); SIGINT and SIGPIPE are ignored: a
//     Ctrl-C reaches the whole process group, and it is the parent who takes its children down in
//     order;
//   - uid and gid are dropped if asked for, then PR_SET_NO_NEW_PRIVS (prctl(2));
//   - PR_SET_PDEATHSIG is SIGKILL. The kernel sends it when the *thread* that forked ends
//     (PR_SET_PDEATHSIG(2const)): start children from a thread that outlives them.

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "real/fd.h"

namespace missive {

struct Credentials {
  uid_t uid = 65534;  // "nobody" and "nogroup" of Debian (base-passwd)
  gid_t gid = 65534;
};

class ChildProcess {
 public:
  struct Options {
    std::string name;                    // for error texts, and the child's comm (15 characters)
    std::vector<int> keep;               // descriptors the child may use
    std::optional<Credentials> drop_to;  // needs CAP_SETUID and CAP_SETGID
    std::chrono::milliseconds start_deadline{10'000};
  };
  // Tells the parent that the child works; the text is the parent's report().
  using Ready = std::function<void(const std::string& report)>;

  ChildProcess() = default;
  // Forks, runs `body(ready)` in the child and returns once `ready` was called. The child's exit
  // status is what `body` returns, or 1 when it throws. Throws RunError when the child ends or the
  // deadline passes first; the text of an exception thrown in the child is quoted.
  ChildProcess(const Options& options, const std::function<int(const Ready&)>& body);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess() { stop(); }

  pid_t pid() const { return pid_; }  // -1 when there is none
  const std::string& report() const { return report_; }
  bool running() const;

  // SIGTERM, two seconds of patience, SIGKILL; reaps. Harmless when there is no child.
  void stop() noexcept;
  // SIGKILL and reap: what an out-of-memory kill would do.
  void kill_now() noexcept;

 private:
  void await_ready(int pipe, std::chrono::milliseconds deadline);
  bool reap(std::chrono::milliseconds patience) noexcept;

  std::string name_;
  std::string report_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

// In a child: returns when SIGTERM comes.
void wait_for_sigterm();

}  // namespace missive
