#pragma once
// Micro-measurements for the cost models of isolation (models/isolation.h): a list of its own, so
// that calibrating launches stays quick. Each times one primitive of the processor or the kernel,
// and none of them calls into an isolated domain: what is predicted from them was never looked at.
//
// A sample's columns are calls, bytes and items (micro.h); what they count is said in `what`.

#include <string>
#include <vector>

#include "real/measure/micro.h"

namespace missive::measure {

struct IsolationMicro {
  std::string name;
  std::string what;
  bool call, byte, item;  // columns of the fit
  void (*run)(Sampler&);
  bool contended =
      false;  // every other CPU does the same meanwhile (models/isolation/contention.h)
};
const std::vector<IsolationMicro>& isolation_micros();

// Why this host cannot run `micro`; empty when it can. What it calibrates is then not predicted.
std::string isolation_micro_unavailable(const std::string& micro);

// Runs every available one `repetitions` times in random order (seeded) in this process, pinned to
// one CPU. Warm-up runs are dropped. Throws RunError when the kernel refuses what it should grant.
std::vector<MicroSample> run_isolation_micros(int repetitions, std::uint64_t seed);

}  // namespace missive::measure
