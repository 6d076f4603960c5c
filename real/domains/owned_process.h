#pragma once
// A cloned process that its owner kills and reaps. With CLONE_NEWPID it is the init of a pid
// namespace: its end is the end of everything in it, and it cannot be reaped before all of that is
// gone (pid_namespaces(7)).

#include <csignal>
#include <cstdint>
#include <string>

#include <sys/types.h>

#include "real/fd.h"

namespace missive::domains {

class OwnedProcess {
 public:
  OwnedProcess() = default;
  OwnedProcess(const OwnedProcess&) = delete;
  OwnedProcess& operator=(const OwnedProcess&) = delete;
  ~OwnedProcess() { kill_now(); }

  // clone3(2) with `flags` (CLONE_NEW*); `body(data)` runs in the child, all signals blocked, and
  // must not return. The child is a copy of a process that may have threads: no allocation, no lock
  // (signal-safety(7)). Throws NotAvailable when the host refuses the namespaces, else RunError.
  void start(const std::string& who, std::uint64_t flags, void (*body)(void* data), void* data);

  // For one made with CLONE_NEWUSER: gives its namespace this uid and gid, `inside` being what they
  // are called there (user_namespaces(7)). False with errno when refused. Until then it must wait.
  bool map_user(uid_t inside_uid, uid_t uid, gid_t inside_gid, gid_t gid) const;
  // SIGKILL, then reaped. Harmless when there is none.
  void kill_now() noexcept;
  // "killed by Bad system call", "exit status 1"; empty while it runs.
  std::string end() const;
  pid_t pid() const { return pid_; }
  int pidfd() const { return pidfd_.get(); }  // readable once it has ended

 private:
  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

// Throws InputError when this process may not use that CPU; -1 is none in particular.
void check_cpu(const std::string& who, int cpu);

// ---- for the child ----

// Dies with the thread that cloned it (PR_SET_PDEATHSIG(2const)), or at once when that process,
// which `parent` is a pidfd of, has ended already. To be repeated after a change of credentials.
void die_with_parent(int parent);
// Descriptor `from[i]` becomes 3 + i, at most four of them; all others from 3 on are closed.
bool keep_only(const int* from, int count);
// No signal blocked, none ignored.
void reset_signals();
// On that CPU (check_cpu) from now on; -1: anywhere.
bool pin_to(int cpu);

}  // namespace missive::domains
