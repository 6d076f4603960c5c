#pragma once
// How many domains a host can hold: closed forms, no times.

#include <string>

namespace missive {

// What bounds the number of domains on a host.
struct HostLimits {
  double maps = 65530;            // vm.max_map_count, of one process
  double address_space = 0x1p47;  // of one process, bytes
  double processes = 32768;       // kernel.pid_max, or a smaller limit on tasks
  double descriptors = 1024;      // RLIMIT_NOFILE
  double memory = 0;              // bytes available; 0: not looked at
  double segments = 8192;         // entries of a process's local descriptor table (x86)
};
// What one live domain that has answered takes of each.
struct DomainFootprint {
  double maps = 0, address_space = 0, processes = 0, descriptors = 0;
  double pages = 0;   // of memory that nobody shares: first touches and copies on a write
  double memory = 0;  // bytes; 0: not looked at
  double segments = 0;
};
struct DensityBound {
  double domains = 0;
  // "vm.max_map_count", "address space", "tasks", "descriptors", "memory", "segments"
  std::string limit;
};
// The smallest of the bounds; infinite domains and no limit for a domain that takes nothing.
DensityBound density_bound(const DomainFootprint& domain, const HostLimits& host);

}  // namespace missive
