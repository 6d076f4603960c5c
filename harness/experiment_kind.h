#pragma once
// A kind of experiment ("launch", "isolation"): what its file may say, which points it has, how it
// is run and shown. A kind is its own files, one line in experiment_kinds.cpp, and one alternative
// in experiments/schema/experiment.schema.json; the verbs, the result files and --dry-run need no
// edit.

#include <string>
#include <vector>

#include "harness/answer.h"
#include "harness/experiment.h"
#include "harness/launch_run.h"
#include "harness/result.h"

namespace missive::harness {

struct ExperimentKind {
  std::string name;  // JSON value of "kind"

  // Reads what only this kind has out of `e.effective`, a checked file with all defaults, into
  // `e.settings`, and makes `e.grid`. Throws InputErrors with positions in `source`.
  void (*read)(const JsonSource& source, Experiment& e);

  // Runs every point in the worlds of `e.backend` (see run_launch() for what it promises).
  Result (*run)(const Experiment& e, const RunOptions& options);

  // What goes to stdout: one or two screens of at most 110 columns, made from the result.
  std::string (*table)(const Result& result, const Experiment& e);

  // What the question comes to, for the first lines of a report (harness/answer.h). Called with a
  // result that has the points of `e`, answered or not. Without it a report says how far apart the
  // points are.
  Answer (*answer)(const Result& result, const Experiment& e) = nullptr;

  // For shards and resumption (harness/shard.h, merge.h); a kind without both is run whole.
  // Leaves only the points at these places in what the kind has beside `e.grid`, which is changed
  // by the caller.
  void (*keep)(Experiment& e, const std::vector<std::size_t>& places) = nullptr;
  // Makes anew what is derived from several points: the baseline predictor, and the summary but
  // not_available, failures and interrupted. From `result.points` alone.
  void (*summarise)(const Experiment& e, Result& result) = nullptr;
};

const std::vector<ExperimentKind>& experiment_kinds_registered();
// `name` comes from a file that was checked against the schema. Throws std::logic_error otherwise.
const ExperimentKind& experiment_kind(const std::string& name);

// The kinds, each in its own files.
ExperimentKind launch_kind();
ExperimentKind isolation_kind();
ExperimentKind verification_kind();
ExperimentKind structure_kind();
ExperimentKind commonality_kind();

}  // namespace missive::harness
