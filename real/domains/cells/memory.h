#pragma once
// Memory as the kernel accounts for it.

#include <cstdint>
#include <string>

#include "models/isolation/density.h"

namespace missive::domains {

// Proportional set size (proc(5), smaps_rollup) of this process and all processes below it, bytes:
// a page that k processes share counts 1/k in each. Without what the kernel holds for them (page
// tables, kernel stacks). Throws RunError when /proc cannot say.
std::uint64_t pss_of_tree();

// Pages of memory that this process has to itself (proc_pid_smaps(5), Anonymous), those it shares
// with whom it was forked from included: what a fork of it copies the entries of. Throws RunError.
std::uint64_t private_pages();

// MemAvailable of /proc/meminfo, bytes: what the whole system has left, kernel's share included.
std::uint64_t memory_available();

// Which countable limits of this process are nearly used up (memory maps, descriptors, threads and
// processes), "name: used of limit"; empty when none is.
std::string limits_nearly_met();

// The limits that bound how many domains there can be (models/isolation/density.h), as this process
// meets them now.
HostLimits host_limits();

}  // namespace missive::domains
