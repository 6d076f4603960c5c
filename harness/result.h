#pragma once
// The result of an experiment, in memory, and as result.json ("missive-sim/result/1"). Times are
// seconds, sizes bytes. Every key is always there; null says that a world did not answer.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/experiment.h"
#include "models/parameter.h"
#include "models/plan.h"

namespace missive::harness {

struct Measured {
  double median = 0;
  double low = 0, high = 0;  // 95 % interval of the median
  std::size_t n = 0;
  std::optional<double> noise_floor;  // relative; nothing below two repetitions
};

struct Metric {
  std::string name;   // "verify", "total", "bytes_fetched": unique within a point
  std::string phase;  // a phase of models/plan.h, or "total"
  std::string unit;   // "s", "B" or "1"
  std::optional<double> simulated;
  std::optional<Measured> measured;
  std::optional<double> relative_error;           // (simulated - measured) / measured
  std::optional<bool> within_tolerance;           // nothing when not judged: `note` says why
  std::string provenance;                         // weakest of the parameters behind `simulated`
  std::optional<double> baseline_relative_error;  // of the dumb predictor
  std::string note;
  // What the model says `measured` lies between nine times in ten; where it draws.
  std::optional<std::pair<double, double>> simulated_interval = std::nullopt;
};

struct PointResult {
  std::string id, label;
  Json parameters;
  std::vector<Metric> metrics;
  // What the simulation says, and the repetition whose total is the median; amounts left out.
  std::vector<Record> simulated_records, measured_records;
};

struct Summary {
  std::size_t compared = 0;           // phases judged: both worlds, and not too short
  std::optional<bool> amounts_equal;  // nothing when no point has both
  std::vector<std::string> amount_differences;
  std::optional<double> median_abs_relative_error, p90_abs_relative_error, max_abs_relative_error;
  std::optional<double> baseline_median_abs_relative_error;
  std::optional<double> total_median_abs_relative_error;  // of whole launches
  std::optional<double> total_noise_floor;                // median over points
  std::optional<bool> within_tolerance;                   // nothing when nothing was compared
  std::vector<std::string> not_available;                 // "NAME: why not"
  std::vector<std::string> failures;                      // points that did not succeed, and why
  bool interrupted = false;
};

// One line of observations.csv.
struct ObservationRow {
  std::string point, backend, phase, metric, unit;
  std::size_t repetition = 0;
  double value = 0;
};

struct Result {
  std::string name, sha256, kind, description;
  std::uint64_t seed = 0;
  Json effective;                 // Experiment::effective: with it a result says what was asked
  Json context = Json::object();  // harness/context.h
  std::vector<PointResult> points;
  Summary summary;
  Json claims = Json::array();  // harness/claim_judge.h
  ParameterSet parameters_used;
  std::vector<ObservationRow> observations;
};

// Number, median, 90th percentile and largest of the absolute relative errors of what was judged;
// the verdict on them is each kind's own. Nothing but the number when there are none.
void summarise_errors(const std::vector<double>& errors, Summary& summary);

// A result with name, hash and seed of the experiment, and its points without metrics.
Result empty_result(const Experiment& experiment);

Json to_json(const Result& result);

// Everything that a run of these points would have found out, but its context, is a function of the
// points: result.json read back (harness/result_reader.h) and written again is the same file.

// What the run's outcome means to a script (exit status of the program). In this order: interrupted
// (130), a failure (1), the tolerance, an amount or a claim that decides does not hold (3),
// `require_real` and no real half (4), done (0).
ExitStatus exit_status(const Result& result, const Experiment& experiment);

}  // namespace missive::harness
