#pragma once
// The cell "sharing": what it costs that the other side can read a message.

#include <vector>

#include "real/domains/cells/series.h"
#include "real/domains/domain.h"

namespace missive::domains {

struct SharingOptions {
  int repetitions = 20;
  double batch_seconds = 2e-4;  // at least
  std::vector<std::size_t> sizes = {64, 1024, 16 * 1024, 256 * 1024, 1 << 20, 4 << 20, 16 << 20};
  DomainOptions domain;  // its sizes are set to what is needed
  std::uint64_t seed = 1;
};

// Each operation writes a fresh message of x bytes and has all of it added up; the sum is checked.
// Seconds, one value for each repetition, interleaved in random order:
//   sharing.message  local       written and added up on this side: the floor
//   sharing.message  copy        written into private memory, then passed by value
//   sharing.message  marshalled  the same bytes as records, serialised, passed by value, parsed
//   sharing.message  sealed      written into a new memory file, which is sealed and handed over;
//                                the receiver checks the seals and maps it
//   sharing.message  shared      written into shared(), then call() in place
//   sharing.message  pointer     written into private memory of this side, read there by the other
// A way that a mechanism does not have is missing: `shared` without shared memory, `pointer` where
// call() copies, `marshalled` and `sealed` where the service is a freestanding guest (it refuses
// those entries, host_service.h). What the crossing and the moving cost is the difference to
// `local`. Sizes that the mechanism cannot take are missing, and stopped_by says why. Throws
// RunError for a wrong sum.
CellResult measure_sharing(const Mechanism& mechanism, const SharingOptions& options);

}  // namespace missive::domains
