#include "models/isolation/density.h"

#include <cmath>
#include <limits>

namespace missive {

DensityBound density_bound(const DomainFootprint& domain, const HostLimits& host) {
  DensityBound bound{std::numeric_limits<double>::infinity(), ""};
  const auto consider = [&](double each, double all, const char* limit) {
    if (each <= 0 || all <= 0) return;
    const double n = std::floor(all / each);
    if (n < bound.domains) bound = {n, limit};
  };
  consider(domain.maps, host.maps, "vm.max_map_count");
  consider(domain.address_space, host.address_space, "address space");
  consider(domain.processes, host.processes, "tasks");
  consider(domain.descriptors, host.descriptors, "descriptors");
  consider(domain.memory, host.memory, "memory");
  consider(domain.segments, host.segments, "segments");
  return bound;
}

}  // namespace missive
