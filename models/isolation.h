#pragma once
// Cost models of isolated domains: what a crossing, a creation, a shared message and a domain's
// memory cost, composed from primitives that are measured alone (real/measure/micro_isolation.h).
//
// A model is a sum: so many times this primitive, so many times that one. Which and how many is the
// mechanism's structure, read from what it does (system calls, copies, faults), never from how long
// it takes; how long a primitive takes is a parameter. Nothing here is fitted to a domain's times.
// The structures are in models/isolation/, a file for each family; here is what is made of them.
//
// Copies and reads have three costs a byte, because what fits the first-level cache, the second,
// or neither differs by a factor of ten. Each is calibrated inside a range of sizes (kFillRegimes,
// kCopyRegimes, kReadRegimes); in between the cost is interpolated over the logarithm of the size.

#include <array>
#include <optional>
#include <string>

#include "models/isolation/composition.h"
#include "models/isolation/density.h"
#include "models/isolation/structure.h"

namespace missive {

// A null call and its return, hot. `peer_elsewhere`: a service with a thread or process of its own
// runs on another CPU than the caller. Nothing when there is no model of the mechanism.
std::optional<Composition> crossing_cost(const std::string& mechanism, bool peer_elsewhere = false);

// One of `domains` calls in turn, each to the next of so many domains: where a scheduler is part of
// it, hand-overs among many cost more than between two. Nothing for spinning services, which would
// spin for one CPU.
std::optional<Composition> crossing_among(const std::string& mechanism, double domains);

// A message of a few bytes through `length` domains, one after the other, all hops together.
std::optional<Composition> chain_cost(const std::string& mechanism, double length);

// From create() to the reply of the first null call, deferred faults included. `pages`: of memory,
// that the process has to itself which makes the domain (an amount, anonymous pages of smaps(5)):
// a forked service inherits every one of them.
std::optional<Composition> creation_cost(const std::string& mechanism, double pages);

// The destructor, until nothing of the domain is left.
std::optional<Composition> teardown_cost(const std::string& mechanism, double pages);

// Creation, first call and end of one domain of many that `creators` threads make at once on `cpus`
// CPUs, as wall-clock time over all domains: what the threads wait for each other in the kernel
// grows from nothing with one CPU busy to what the contended primitives show with all
// (models/isolation/contention.h), so the rate is that of the universal scalability law without
// its quadratic term,
//
//   X(n) = n / (T (1 + s (n - 1))),  n = min(creators, cpus)
//
// with s from primitives. Nothing for services with a thread or process of their own while a CPU is
// idle: they would run there, and no primitive stands for that.
std::optional<Composition> storm_cost(const std::string& mechanism, double creators, double cpus,
                                      double pages);

// How a message reaches the service (real/domains/cells/exchange.h).
enum class Sharing {
  local,       // no domain: written and read on one side
  copy,        // by value: as often copied as the mechanism does, once at least
  marshalled,  // as records, serialised, by value, and parsed into fresh objects
  sealed,      // in a new memory file that is sealed, handed over, checked and mapped
  shared,      // it lies in memory both sides see
  pointer      // it lies in the caller's memory, where the service reads it
};
// A message of `bytes` is written, passed with a call, and read by the service to the last byte;
// the reply is short. Nothing for a way that the mechanism does not have.
std::optional<Composition> sharing_cost(const std::string& mechanism, Sharing sharing,
                                        double bytes);

// A null call with a message of `bytes` that nobody reads: the crossing and the copies.
std::optional<Composition> message_cost(const std::string& mechanism, double bytes);

// `times` fills, copies, reads of a message of `bytes` that is used again and again.
Composition fill_cost(double times, double bytes);
Composition copy_cost(double times, double bytes);
Composition read_cost(double times, double bytes);

// A message of rows, and what protobuf makes of them (real/domains/marshal/records.proto).
inline constexpr double kRowBytes = 64, kMarshalledRowBytes = 71;

// Sizes a regime was calibrated at.
struct Regime {
  const char* parameter;  // cost of a byte
  double from, to;        // bytes
};
inline constexpr std::array<Regime, 3> kCopyRegimes{{{"copy_l1.byte_s", 24, 12288},
                                                     {"copy_l2.byte_s", 28672, 393216},
                                                     {"copy_memory.byte_s", 6291456, 25165824}}};
inline constexpr std::array<Regime, 3> kFillRegimes{{{"fill_l1.byte_s", 24, 24576},
                                                     {"fill_l2.byte_s", 98304, 786432},
                                                     {"fill_memory.byte_s", 12582912, 50331648}}};
inline constexpr std::array<Regime, 3> kReadRegimes{{{"read_l1.byte_s", 24, 24576},
                                                     {"read_l2.byte_s", 98304, 786432},
                                                     {"read_memory.byte_s", 12582912, 50331648}}};

// Of the message's rows, before they are serialised. Each has a cost of a byte and one of a record.
struct MarshalRegime {
  const char* serialise;  // primitives
  const char* parse;
  double from, to;  // bytes
};
inline constexpr std::array<MarshalRegime, 3> kMarshalRegimes{
    {{"serialise_l1", "parse_l1", 128, 5760},
     {"serialise_l2", "parse_l2", 96000, 384000},
     {"serialise_memory", "parse_memory", 2560000, 7680000}}};

// ---- density (models/isolation/density.h) ----

// Nothing where the mechanism has no model. Its memory is that of its pages; what the kernel keeps
// beside them (page tables, stacks, descriptors' objects) is not in it.
std::optional<DomainFootprint> domain_footprint(const std::string& mechanism);

// Overheads that trade: software isolation that slows everything by `slow_down` (0.07) equals a
// boundary of `switch_s` seconds a round trip at this many switches a second.
double break_even_switch_rate(double slow_down, double switch_s);

}  // namespace missive
