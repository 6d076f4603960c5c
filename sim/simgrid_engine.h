#pragma once
// A plan with all its durations filled in, run on SimGrid. simgrid_engine.cpp is the only file of
// the project that includes SimGrid, whose interface moves between releases and whose headers cost
// seconds to compile.
//
// run_engine() may be called once in the life of a process: SimGrid's engine is a singleton, and a
// second one would continue the clock of the first without a word. Use simulate()
// (sim/simgrid_executor.h), which gives every call a process of its own.
//
// Mapping. A host computes 1e12 flop/s on each core and one flop is one picosecond of work on an
// idle core; more work than cores is shared out fairly (max-min). A link is two SimGrid links, one
// for each direction, each with the full bandwidth, between two hosts of its own, so that no route
// of the platform adds anything. No actor runs: a step is one Exec, one Comm or both, tied by
// SimGrid's dependencies between activities. Work that several steps could do (EngineStep::once)
// is given out when an empty Exec before each, its gate, ends.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace missive {

struct EngineHost {
  std::string name;
  int cores = 1;
};

struct EngineLink {
  std::string name;
  double latency_s = 0;  // one way; above zero or zero
  double bandwidth_bytes_per_s = 1;
};

enum class Direction { up, down };

struct EngineStep {
  std::string name;
  std::vector<std::size_t> after;
  std::size_t host = 0;         // index into hosts
  std::int64_t compute_ps = 0;  // first
  bool transfers = false;       // then
  std::size_t link = 0;
  Direction direction = Direction::up;
  std::uint64_t bytes = 0;
  // Steps with the same number do one piece of work (Step::once in models/plan.h); no transfer.
  std::optional<std::size_t> once = {};
};

struct EngineJob {
  std::vector<EngineHost> hosts;
  std::vector<EngineLink> links;
  std::vector<EngineStep> steps;
};

struct EngineOutcome {
  std::vector<std::int64_t> end_ps;             // of each step
  std::map<std::string, std::string> settings;  // every setting that shapes a result, read back
};

// Throws RunError naming the first step that never ended (a deadlock: steps wait for each other).
EngineOutcome run_engine(const EngineJob& job);

}  // namespace missive
