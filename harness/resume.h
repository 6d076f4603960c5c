#pragma once
// Runs that can be killed at any time and gone on with (--resume), and parts of runs (--shard).
//
// A simulated point is finished on its own: its result goes to points/ID.json in the output folder
// as soon as it is there, whole or not at all. Real measurements are not: their repetitions are
// interleaved over all points of the run, so that the machine's drift meets all alike, and a point
// is finished when the run is. A long measurement that must survive an interruption is cut into
// shards; then the interleaving reaches over a shard only.

#include "harness/experiment_kind.h"
#include "harness/output_dir.h"
#include "harness/result.h"

namespace missive::harness {

struct ResumeOptions {
  bool resume = false;  // take finished points from `out`; otherwise they are removed first
  RunOptions run;
  // What a result of now has for context: written with every point, so that a point of another
  // program or other parameters is found out.
  Json context;
};

// Gives the result of all points of `e`. Throws InputError when `out` holds finished points of
// another configuration.
Result run_resumable(const Experiment& e, const OutputDir& out, const ResumeOptions& options);

// Removes the finished points of a run whose result is written.
void remove_points(const OutputDir& out);

}  // namespace missive::harness
