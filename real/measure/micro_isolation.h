#pragma once
// Micro-measurements for the cost models of isolation (models/isolation.h): a list of its own, so
// that calibrating launches stays quick. Each times one primitive of the processor or the kernel,
// and none of them calls into an isolated domain: what is predicted from them was never looked at.
//
// A sample's columns are calls, bytes and items (micro.h); what they count is said in `what`.

#include <array>
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

// The process a micro-measurement needs. Processes that make domains are forked from this program
// and do nothing else before, and what a primitive costs depends on that:
//   fresh     Forking, replacing and ending a process cost by the pages it has; other measurements
//             leave theirs in the heap. Those that fork count them, and have a process of their
//             own.
//   one_cpu   Once a thread has run on another CPU, the kernel tells that CPU, by interrupt, of
//   maps
//             that end, protections and segments (mm_cpumask). These never start one there.
//   all_cpus  The rest: what happens between CPUs, and everything contended.
enum class MicroProcess { fresh, one_cpu, all_cpus };
inline constexpr std::array kMicroProcesses{MicroProcess::fresh, MicroProcess::one_cpu,
                                            MicroProcess::all_cpus};
MicroProcess micro_process(const std::string& micro);

// Runs every available one that needs such a process `repetitions` times in random order (seeded)
// in this one, pinned to one CPU. Warm-up runs are dropped. Throws RunError when the kernel refuses
// what it should grant.
std::vector<MicroSample> run_isolation_micros(MicroProcess where, int repetitions,
                                              std::uint64_t seed);

}  // namespace missive::measure
