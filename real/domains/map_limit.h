#pragma once
// The one limit of mmap(2) that its ENOMEM does not tell apart from a lack of memory: how many map
// entries a process may have (vm.max_map_count, Documentation/admin-guide/sysctl/vm.rst).

#include <string>

namespace missive::domains {

// When this process has used up its map entries: how many it has, the limit, and the sysctl with a
// value that gives room. Otherwise empty. Keeps errno.
std::string map_limit_reached();

}  // namespace missive::domains
