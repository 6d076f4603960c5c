#pragma once
// Holds the two answers against each other. Input: for each point what the simulation says and what
// every measured launch took; output: the metrics and the summary of a Result.
//
//   relative error   (simulated - median measured) / median measured
//   tolerance        the experiment's, or the noise floor of the machine where that is larger
//   dumb predictor   ordinary least squares of the phase's measured medians over the bytes the
//                    point moves, fitted on all other points: what a simulation has to beat
//   amounts          bytes and counts, compared exactly
//
// Deterministic: the bootstrap draws from the experiment's seed.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/result.h"
#include "models/plan.h"

namespace missive::harness {

// One real launch or native start.
struct Launch {
  int process = 0;                      // which process measured it; launches of one resemble each
                                        // other
  std::map<std::string, double> times;  // seconds by metric name: phases, "total", "native_twin"
  std::optional<Amounts> amounts;       // none for a native start
};

// What is known of one point; `point` is an index into the experiment's points.
struct PointData {
  std::size_t point = 0;
  std::map<std::string, double> simulated;       // seconds by metric name, loopback prediction
  std::map<std::string, double> simulated_only;  // "total_over_link": no measured counterpart
  std::optional<Amounts> simulated_amounts;
  std::vector<Launch> launches;      // real launches, without warm-up
  std::vector<Launch> native;        // native twin: times["native_twin"]
  std::set<std::string> parameters;  // names of the parameters behind the simulation
  std::vector<Record> simulated_records;
  std::vector<std::vector<Record>> launch_records;  // parallel to `launches`, may be empty
};

// Metric names beside the phases.
inline constexpr const char* kTotal = "total";
inline constexpr const char* kFirstInstruction = "first_instruction";  // until exec has succeeded
inline constexpr const char* kNativeTwin = "native_twin";
inline constexpr const char* kCost = "untrusted_cache_cost";  // total minus native twin

// Steps of the phase boot, shown beside it; not judged on their own.
inline constexpr const char* kBootParts[] = {"boot.deliver", "boot.start", "boot.application"};

// Phase times, times of the boot's parts, and total of a launch's records, in seconds.
std::map<std::string, double> times_of(const std::vector<Record>& records);

// The launch whose total is nearest to the median (the earliest of equals). Requires launches.
std::size_t median_launch(const std::vector<Launch>& launches);

// Fills points, summary (but not_available, failures, interrupted), parameters_used and
// observations of `result`. Points without data keep empty metrics.
void compare(const Experiment& experiment, const std::vector<PointData>& data,
             const ParameterSet& parameters, Result& result);

// The part of compare() that needs all points: baseline errors and summary, from the points'
// metrics.
void summarise_launches(const Experiment& experiment, Result& result);

}  // namespace missive::harness
