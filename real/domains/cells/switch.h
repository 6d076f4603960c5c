#pragma once
// The cell "switch": what a call into a domain and back costs. docs/metrics.md says what is
// counted.

#include <vector>

#include "real/domains/cells/series.h"
#include "real/domains/domain.h"

namespace missive::domains {

struct SwitchOptions {
  int batches = 30;
  double batch_seconds = 2e-4;  // at least
  DomainOptions domain;
  std::vector<std::size_t> chain = {2, 4, 8, 16, 32, 64};
  std::vector<std::size_t> round_robin = {1, 10, 100, 1000};
  std::size_t pollute_bytes = 1 << 20;  // touched between two polluted calls; 0: not measured
  std::uint64_t seed = 1;
};

// In seconds, one value for each batch:
//   switch.round_trip  hot        one null call
//   switch.round_trip  polluted   one null call after every cache line of pollute_bytes was written
//   switch.one_way     there      from the caller to the service: time stamps on both sides of the
//   switch.one_way     back       crossing, and back; missing, with a note why, where both sides
//                                 have no time stamp in common
//   switch.chain       x domains  a message of 8 bytes through all of them, each one's reply the
//                                 next one's request; all hops together
//   switch.round_robin x domains  one null call, each of the domains in turn ("ordered") or in a
//                                 fixed random order ("random")
// A host limit met on the way ends the larger lengths: they are missing, and stopped_by says why.
CellResult measure_switch(const Mechanism& mechanism, const SwitchOptions& options);

}  // namespace missive::domains
