#pragma once
// The part of an experiment of kind "verification" that others do not have: which algorithms check
// so many bytes that are in memory already, by messages of which sizes, on how many cores. Its
// points are the algorithms, and two bounds: reading the same bytes, and copying them.

#include <string>
#include <vector>

#include "harness/experiment.h"
#include "models/verification.h"

namespace missive::harness {

struct VerificationPoint {
  std::string id;         // 8 hexadecimal digits of a hash over `parameters`
  std::string algorithm;  // real/verify/algorithm.h, or "read" or "copy"
  Json parameters;        // as in result.json
};

struct VerificationSettings : KindSettings {
  std::vector<std::string> algorithms;
  Bytes size{}, cached_size{};
  std::vector<std::string> granularity;  // "4KiB", "whole"
  std::vector<std::uint64_t> threads;
  std::vector<Bytes> messages;  // short ones
  std::uint64_t degree = 128;
  int processes = 1;
  double median_tolerance = 0, most_tolerance = 0;
  double keyed_limit = 0, tree_limit = 0;
  std::vector<VerificationPoint> points;
};

// One timed work of a point, and the metric's name: "memory.4KiB.1" (size in memory, in messages of
// 4 KiB, on one core), "cache.4KiB.1" (the smaller size, in the caches), "short.64B" (a message's
// share of 64 KiB in the first-level caches).
struct VerificationMetric {
  std::string name;
  VerificationWork work;
  double share = 1;  // of the work's time that the metric is
};
std::vector<VerificationMetric> verification_metrics(const std::string& algorithm,
                                                     const VerificationSettings& settings);

// `effective` is a checked file of that kind with all defaults.
VerificationSettings read_verification(const Json& effective);
// Those of an experiment of that kind. Throws std::logic_error for another.
const VerificationSettings& verification_settings(const Experiment& experiment);

}  // namespace missive::harness
