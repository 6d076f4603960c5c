#pragma once
// A forked process that runs the service: started, watched, killed and reaped. What crosses between
// the two sides is the business of process_stream.cpp and process_memory.cpp.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <sys/types.h>

#include "real/domains/domain.h"
#include "real/fd.h"

namespace missive::domains {

// Whether the affinity that this program was started with has this CPU (sched_setaffinity(2)).
bool may_use_cpu(int cpu);
// A CPU that is not the caller's present one; -1 when there is none.
int another_cpu();

class ServiceProcess {
 public:
  ServiceProcess() = default;
  ServiceProcess(const ServiceProcess&) = delete;
  ServiceProcess& operator=(const ServiceProcess&) = delete;
  ~ServiceProcess() { kill_now(); }

  // Forks; the child runs `serve` and exits when it returns. In the child: descriptors above 2
  // other than `keep` (-1: none) are closed; signals have their default actions (SIGINT ignored:
  // the parent takes it down); no core file; it dies with the thread that forked it
  // (PR_SET_PDEATHSIG(2const): destroy a domain before the thread that created it ends); pinned to
  // `cpu` unless that is -1. The parent may have threads: `serve` must not allocate memory or take
  // locks (fork(2)). Throws RunError (which limit may have been met), InputError for a CPU it may
  // not use.
  void start(const std::string& mechanism, std::array<int, 3> keep, int cpu,
             const std::function<void()>& serve);

  // SIGKILL, then reaped. Harmless when there is none.
  void kill_now() noexcept;
  // False once the process has ended; it stays a zombie until kill_now().
  bool alive() const;
  // Kills the process and throws DomainFault: "MECHANISM: the service process ended (killed by
  // ...)", or, when `late`, that it did not answer before the deadline.
  [[noreturn]] void fault(const char* mechanism, bool late);

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

}  // namespace missive::domains
