#include "harness/launch_run.h"

#include <algorithm>
#include <map>
#include <optional>

#include "harness/compare_metrics.h"
#include "harness/launch_calibrate.h"
#include "harness/launch_inputs.h"
#include "harness/launch_measure.h"
#include "harness/launch_simulate.h"
#include "harness/parameter_source.h"
#include "harness/progress.h"
#include "models/error.h"
#include "real/process.h"

namespace missive::harness {

namespace {

class LaunchRun {
 public:
  LaunchRun(const Experiment& experiment, const RunOptions& options)
      : experiment_(experiment), options_(options), result_(empty_result(experiment)) {
    data_.resize(experiment.points.size());
    for (std::size_t i = 0; i < data_.size(); ++i) data_[i].point = i;
  }

  Result run() {
    try {
      if (experiment_.backend != Backend::sim) {
        measurement_.emplace(experiment_, options_);
        idle_states_ = measurement_->idle_states();
      }
      const bool real = measurement_ && prepare_real();
      gather_parameters(real);
      const bool simulates = experiment_.backend != Backend::real;
      if (simulates && knows_native_starts()) simulate_all();
      finish_round();
      if (real) measure_all();
      if (simulates && asked_) {
        take_native_starts();
        simulate_all();
      }
    } catch (const Interrupted&) {
      result_.summary.interrupted = true;
    }
    finish();
    return std::move(result_);
  }

 private:
  // False (and a note in the result) when this host cannot launch.
  bool prepare_real() {
    try {
      measurement_->prepare();
      return true;
    } catch (const NotAvailable& e) {
      if (experiment_.backend == Backend::real) throw;
      result_.summary.not_available.push_back(std::string("real launches: ") + e.what());
      return false;
    }
  }

  // This host's own parameters where there are any; what it could not measure stays another
  // machine's, and says so.
  void gather_parameters(bool real) {
    parameters_ = reference_parameters();
    if (!experiment_.named_parameters.empty())
      parameters_.merge(named_parameters(experiment_.named_parameters));
    else if (!experiment_.parameters.reference)
      add_own_parameters(real);
    scale(parameters_, experiment_.parameters.scale);
    if (own_) return;  // and with it native starts, in turn with the launches
    for (const auto& p : experiment_.points)
      if (!parameters_.contains(native_ready_name(p.application)))
        throw NotAvailable("no native start of " + p.application +
                           " was ever measured, here or on the reference machine; run the "
                           "experiment with --backend both");
  }

  bool knows_native_starts() const {
    return std::ranges::all_of(experiment_.points, [this](const LaunchPoint& p) {
      return parameters_.contains(native_ready_name(p.application));
    });
  }

  // The simulation's input is of this run: a machine's speed drifts from hour to hour, and the
  // launches' with it.
  void take_native_starts() {
    ParameterSet inputs;
    for (const auto& [application, starts] : measurement_->take_inputs())
      if (!starts.empty())
        inputs.set(native_ready_name(application), native_ready_of(application, starts));
    own_->merge(inputs);
    save_host_parameters(*own_);
    scale(inputs, experiment_.parameters.scale);
    parameters_.merge(inputs);
  }

  void add_own_parameters(bool real) {
    try {
      calibrate(real);
    } catch (const NotAvailable& e) {
      result_.summary.not_available.push_back(
          std::string("calibration: ") + e.what() +
          "; the simulation uses the reference machine's parameters");
    }
  }

  void calibrate(bool real) {
    const ParameterSet own = load_or_calibrate(calibration());
    parameters_.merge(own);
    if (real) own_ = own;
  }

  CalibrateOptions calibration() const {
    CalibrateOptions c;
    c.progress = [progress = options_.progress](const std::string& line) {
      if (progress) progress->update(0, 0, line);
    };
    return c;
  }

  void simulate_all() {
    settings_ = simulate_launches(experiment_, parameters_, options_.jobs, data_);
  }

  void measure_all() {
    asked_ = own_ && !(options_.part && knows_native_starts());
    measurement_->run(data_, result_.summary, {asked_, [this] { finish_round(); }});
  }

  void finish_round() {
    finish();
    if (options_.checkpoint) options_.checkpoint(result_);
  }

  void finish() {
    // Failures, missing mechanisms and the rest stay; everything derived from samples is made anew.
    Result fresh = empty_result(experiment_);
    fresh.context = result_.context;
    fresh.summary.failures = result_.summary.failures;
    fresh.summary.not_available = result_.summary.not_available;
    fresh.summary.interrupted = result_.summary.interrupted;
    ParameterSet all = parameters_;
    if (!experiment_.points.empty() &&
        parameters_.contains(native_ready_name(experiment_.points.front().application)))
      all = parameters_for(parameters_, experiment_.points.front());
    compare(experiment_, data_, all, fresh);
    if (!settings_.empty()) fresh.context["simulator"] = settings_;
    if (experiment_.backend != Backend::sim) fresh.context["idle_states"] = idle_states_;
    result_ = std::move(fresh);
  }

  const Experiment& experiment_;
  const RunOptions& options_;
  Result result_;
  std::vector<PointData> data_;
  ParameterSet parameters_;
  std::optional<ParameterSet> own_;               // this host's, where launches are measured on it
  bool asked_ = false;                            // for native starts as inputs
  std::optional<LaunchMeasurement> measurement_;  // where launches are measured
  std::map<std::string, std::string> settings_;
  std::string idle_states_ = "on";  // of the processors, while launches are measured
};

}  // namespace

Result run_launch(const Experiment& experiment, const RunOptions& options) {
  return LaunchRun(experiment, options).run();
}

}  // namespace missive::harness
