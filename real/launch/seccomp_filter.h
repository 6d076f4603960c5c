#pragma once
// The system calls a picoprocess may not make. A deny list: an ordinary application must run, but
// nothing that could undo its confinement or reach kernel machinery it has no use for. Denied
// calls fail with EPERM. seccomp(2), seccomp_export_bpf(3).

#include <vector>

#include <linux/filter.h>

namespace missive::launch {

// The compiled filter. Built once per process (libseccomp takes about a millisecond), so it is no
// part of a launch. Throws RunError.
const std::vector<sock_filter>& seccomp_program();

}  // namespace missive::launch
