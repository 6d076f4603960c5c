#pragma once
// A control group of one domain: how much memory and how many processes it may have, and who is in
// it. cgroups(7); version 1 hierarchies of `memory` and `pids`, or version 2.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "real/fd.h"

namespace missive::domains {

// Empty when this process may make control groups that limit memory and processes, otherwise why
// not.
std::string limits_unavailable();

// Removes the groups of processes of this program that were killed, or may be about to end: members
// that have not gone yet are waited for, `patience` at most.
void remove_groups_of_the_dead(std::chrono::milliseconds patience);

class Limits {
 public:
  Limits() = default;  // none
  // Makes the groups, below this process's own. Groups that a killed run of this program left are
  // removed before the first and after the last of a process. Throws NotAvailable, RunError.
  Limits(std::uint64_t memory_bytes, unsigned processes);
  Limits(Limits&&) noexcept = default;
  Limits& operator=(Limits&&) = delete;
  // The processes in it must have ended.
  ~Limits();

  // For the child, between clone and exec: moves the caller in. No allocation; false with errno.
  bool join() const;
  // Nobody joins any more: gives up the descriptors that join() needs.
  void close();

 private:
  struct Group {
    std::string path;
    UniqueFd members;  // its cgroup.procs
  };
  std::vector<Group> groups_;
};

}  // namespace missive::domains
