#pragma once
// The seam between the command line and what runs launches: what they take and give.
// Calibration is declared in harness/launch_calibrate.h.

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "harness/experiment.h"
#include "harness/launch_calibrate.h"
#include "harness/result.h"

namespace missive::harness {

class Progress;

struct RunOptions {
  std::filesystem::path out;     // exists and can be written to
  int jobs = 1;                  // simulated points at a time; real launches never overlap
  Progress* progress = nullptr;  // never null when called by the command line
  // Called after each point with what is known so far, so that an interruption keeps it. May be
  // empty.
  std::function<void(const Result&)> checkpoint;
  // One of several runs whose results are put together: what this host's file of parameters has is
  // not measured again, since all must be given the same.
  bool part = false;
};

// Runs every point in the worlds of `experiment.backend` and compares. A point that fails is listed
// in summary.failures, a missing mechanism in summary.not_available, and a signal
// (real/process.h) in summary.interrupted: all three still give a result. Throws NotAvailable
// when nothing at all can be done here, RunError when nothing could be started.
Result run_launch(const Experiment& experiment, const RunOptions& options);

// One thing this host can or cannot do.
struct DoctorEntry {
  std::string group;  // "verifier", "delivery", "application", "host", "isolation"
  std::string name;
  bool available = false;
  std::string detail;  // what it is; or why not and what to do
};
std::vector<DoctorEntry> doctor_entries();

}  // namespace missive::harness
