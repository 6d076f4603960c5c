#pragma once
// Cost models of isolated domains: what a crossing, a creation, a shared message and a domain's
// memory cost, composed from primitives that are measured alone (real/measure/micro_isolation.h).
//
// A model is a sum: so many times this primitive, so many times that one. Which and how many is the
// mechanism's structure, read from what it does (system calls, copies, faults), never from how long
// it takes; how long a primitive takes is a parameter. Nothing here is fitted to a domain's times.
//
//   seconds = sum over terms of count * parameter
//
// Copies and reads have three costs a byte, because what fits the first-level cache, the second,
// or neither differs by a factor of ten. Each is calibrated inside a range of sizes (kFillRegimes,
// kCopyRegimes, kReadRegimes); in between the cost is interpolated over the logarithm of the size.

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/parameter.h"

namespace missive {

struct CostTerm {
  double count = 0;
  std::string parameter;  // "wake_process.call_s"
};

class Composition {
 public:
  Composition() = default;
  Composition(std::string why, std::vector<CostTerm> terms);

  Composition& add(double count, const std::string& parameter);
  Composition& add(double times, const Composition& other);

  // Seconds (bytes for a density model). Throws InputError for a parameter that is not there.
  double cost(const ParameterSet& parameters) const;
  // Parameters it needs that `parameters` does not have, in order.
  std::vector<std::string> missing(const ParameterSet& parameters) const;
  std::set<std::string> parameters() const;
  // "2 x wake_process.call_s + poll_ready.call_s"
  std::string text() const;
  const std::string& why() const { return why_; }
  const std::vector<CostTerm>& terms() const { return terms_; }

 private:
  std::string why_;
  std::vector<CostTerm> terms_;  // one for each parameter
};

// The names of mechanisms (real/domains/domain.h) that have models.
std::vector<std::string> modelled_mechanisms();

// A null call and its return, hot. `peer_elsewhere`: a service with a thread or process of its own
// runs on another CPU than the caller. Nothing when there is no model of the mechanism.
std::optional<Composition> crossing_cost(const std::string& mechanism, bool peer_elsewhere = false);

// One of `domains` calls in turn, each to the next of so many domains: where a scheduler is part of
// it, hand-overs among many cost more than between two. Nothing for spinning services, which would
// spin for one CPU.
std::optional<Composition> crossing_among(const std::string& mechanism, double domains);

// A message of a few bytes through `length` domains, one after the other, all hops together.
std::optional<Composition> chain_cost(const std::string& mechanism, double length);

// From create() to the reply of the first null call, deferred faults included.
std::optional<Composition> creation_cost(const std::string& mechanism);

// The destructor, until nothing of the domain is left.
std::optional<Composition> teardown_cost(const std::string& mechanism);

// How a message reaches the service.
enum class Sharing {
  local,    // no domain: written and read on one side
  copy,     // by value: as often copied as the mechanism does
  in_place  // it lies in memory both sides see
};
// A message of `bytes` is written, passed with a call, and read by the service to the last byte;
// the reply is short.
std::optional<Composition> sharing_cost(const std::string& mechanism, Sharing sharing,
                                        double bytes);

// A null call with a message of `bytes` that nobody reads: the crossing and the copies.
std::optional<Composition> message_cost(const std::string& mechanism, double bytes);

// `times` fills, copies, reads of a message of `bytes` that is used again and again.
Composition fill_cost(double times, double bytes);
Composition copy_cost(double times, double bytes);
Composition read_cost(double times, double bytes);

// Sizes a regime was calibrated at.
struct Regime {
  const char* parameter;  // cost of a byte
  double from, to;        // bytes
};
inline constexpr std::array<Regime, 3> kCopyRegimes{{{"copy_l1.byte_s", 256, 12288},
                                                     {"copy_l2.byte_s", 28672, 393216},
                                                     {"copy_memory.byte_s", 6291456, 25165824}}};
inline constexpr std::array<Regime, 3> kFillRegimes{{{"fill_l1.byte_s", 256, 24576},
                                                     {"fill_l2.byte_s", 98304, 786432},
                                                     {"fill_memory.byte_s", 12582912, 50331648}}};
inline constexpr std::array<Regime, 3> kReadRegimes{{{"read_l1.byte_s", 256, 24576},
                                                     {"read_l2.byte_s", 98304, 786432},
                                                     {"read_memory.byte_s", 12582912, 50331648}}};

// ---- density: closed forms ----

// What bounds the number of domains on a host.
struct HostLimits {
  double maps = 65530;            // vm.max_map_count, of one process
  double address_space = 0x1p47;  // of one process, bytes
  double processes = 32768;       // kernel.pid_max, or a smaller limit on tasks
  double descriptors = 1024;      // RLIMIT_NOFILE
  double memory = 0;              // bytes available; 0: not looked at
};
// What one domain takes of each.
struct DomainFootprint {
  double maps = 0, address_space = 0, processes = 0, descriptors = 0, memory = 0;
};
struct DensityBound {
  double domains = 0;
  std::string limit;  // "vm.max_map_count", "address space", "tasks", "descriptors", "memory"
};
// The smallest of the bounds; infinite domains and no limit for a domain that takes nothing.
DensityBound density_bound(const DomainFootprint& domain, const HostLimits& host);
// Nothing where the mechanism has no model. `memory` is left 0: it is measured.
std::optional<DomainFootprint> domain_footprint(const std::string& mechanism);

// Overheads that trade: software isolation that slows everything by `slow_down` (0.07) equals a
// boundary of `switch_s` seconds a round trip at this many switches a second.
double break_even_switch_rate(double slow_down, double switch_s);

}  // namespace missive
