#pragma once
// What a running cache says of itself (docs/cache-protocol.md, stat): names and whole numbers, in
// one list for the server, its clients and whoever prints them.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "real/cache/service.h"
#include "real/cache/store.h"

namespace missive::cache {

struct MetricKind {
  const char* name;
  const char* what;
  bool grows;  // a counter since the cache started; else the state of this moment
};
const std::vector<MetricKind>& metric_kinds();

// Values in the order of metric_kinds().
struct Gauges {
  std::uint64_t tags = 0, connections = 0, uptime_seconds = 0;
};
std::vector<std::uint64_t> metrics_of(const Store& store, const Service& service,
                                      const Gauges& gauges);

// "NAME VALUE" on a line each. decode() is for what an untrusted cache wrote: names of [a-z_], at
// most 64 lines. Throws RunError, prefixed with `where`.
struct Metric {
  std::string name;
  std::uint64_t value = 0;
};
std::string encode_metrics(std::span<const std::uint64_t> values);
std::vector<Metric> decode_metrics(std::span<const std::byte> text, const std::string& where);

}  // namespace missive::cache
