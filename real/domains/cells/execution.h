#pragma once
// The cell "execution": how much slower the same computation is inside a domain, crossings taken
// off.

#include <vector>

#include "real/domains/cells/series.h"
#include "real/domains/domain.h"
#include "real/domains/requests.h"

namespace missive::domains {

struct ExecutionOptions {
  int repetitions = 10;
  double batch_seconds = 1e-4;  // at least
  std::size_t request_bytes = 32 * 1024;
  std::vector<Entry> kernels = missive::domains::kernels();
  DomainOptions domain;  // max_message is raised to request_bytes where it is less
  std::uint64_t seed = 1;
};

// For each kernel (the variant), x being the request's bytes; one value for each repetition, itself
// the median of nine batches, the three kinds interleaved in random order:
//   execution.native    s  the kernel called directly, as compiled into this program with -O2
//   execution.domain    s  the same request through the domain
//   execution.crossing  s  the null entry with the same request: crossing, and copy of the request
//   execution.slowdown  1  (domain - crossing) / native
// The copy of a long reply (sort only) stays in `domain`. Throws RunError when the domain's reply
// is not the native one.
CellResult measure_execution(const Mechanism& mechanism, const ExecutionOptions& options);

}  // namespace missive::domains
