#pragma once
// The cell "domains": how many live ones there can be, what each takes, and how quickly they still
// answer.

#include <vector>

#include "real/domains/cells/series.h"
#include "real/domains/domain.h"

namespace missive::domains {

struct DensityOptions {
  std::size_t domains = 1000;          // stops there
  std::uint64_t leave_free = 1 << 30;  // stops when the system has less memory available, bytes
  int probes = 200;                    // probe calls at each checkpoint
  DomainOptions domain{.max_message = 4096};
  std::uint64_t seed = 1;
};

// Creates domains until there are enough or a limit is met; each one answers a probe (the sum of a
// message, checked) as soon as it is there. At checkpoints x = 1, 10, 100 ... and at the end:
//   density.alive               1      domains that answered; only at the end, x = 0
//   density.pss_per_domain      bytes  growth of the process tree's PSS since the start, per domain
//   density.system_per_domain   bytes  loss of MemAvailable since the start, per domain; other
//                                      programs' doings are in it
//   density.probe               s      one call into a domain drawn at random, one value for each
//   density.create              s      creation and probe, mean since the last checkpoint
//   density.destroy             s      at the end, per domain; x = domains
// stopped_by: "" when all `domains` live, otherwise the limit. Everything is gone on return, and
// when an exception (Interrupted, InputError) gets out.
CellResult measure_density(const Mechanism& mechanism, const DensityOptions& options);

}  // namespace missive::domains
