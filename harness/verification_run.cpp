#include "harness/verification_run.h"

#include <algorithm>
#include <memory>

#include "harness/measurement_lock.h"
#include "harness/progress.h"
#include "harness/verification_calibrate.h"
#include "models/error.h"
#include "models/random.h"
#include "real/measure/verification_timing.h"
#include "real/process.h"
#include "real/verify/algorithm.h"

namespace missive::harness {

namespace {

class VerificationRun {
 public:
  VerificationRun(const Experiment& e, const RunOptions& options)
      : e_(e), settings_(verification_settings(e)), options_(options), result_(empty_result(e)) {
    data_.resize(settings_.points.size());
    for (std::size_t i = 0; i < data_.size(); ++i) data_[i].point = i;
  }

  Result run() {
    try {
      std::shared_ptr<MeasurementLock> lock;
      if (e_.backend != Backend::sim) lock = hold_measurement_lock();
      find_unavailable();
      if (e_.backend != Backend::real) parameters_ = load_or_calibrate_verification(calibration());
      checkpoint();
      if (e_.backend != Backend::sim)
        for (int process = 0; process < settings_.processes; ++process) {
          report(static_cast<std::size_t>(process), "verifying");
          measure(process);
          checkpoint();
        }
    } catch (const Interrupted&) {
      result_.summary.interrupted = true;
    }
    compare();
    return std::move(result_);
  }

 private:
  void find_unavailable() {
    for (VerificationData& d : data_) {
      const std::string& name = settings_.points[d.point].algorithm;
      if (name == "read" || name == "copy") continue;
      d.unavailable = verify::unavailable(verify::algorithm(name));
      if (!d.unavailable.empty())
        result_.summary.not_available.push_back(name + ": " + d.unavailable);
    }
    for (const std::uint64_t n : settings_.threads)
      if (n > static_cast<std::uint64_t>(measure::usable_cpus()))
        result_.summary.not_available.push_back(std::to_string(n) +
                                                " threads: this process may use " +
                                                std::to_string(measure::usable_cpus()) + " CPUs");
  }

  CalibrateOptions calibration() const {
    CalibrateOptions c;
    c.processes = 3;
    c.progress = [this](const std::string& line) { report(0, line); };
    return c;
  }

  // One process: every work once a repetition, in another order each time.
  void measure(int process) {
    const std::string text = run_in_child(
        [&] { return measure_here(process).dump(); },
        std::chrono::duration_cast<std::chrono::milliseconds>(e_.deadline), "verification");
    const Json values = Json::parse(text);
    for (VerificationData& d : data_)
      for (const auto& [metric, list] : values[d.point].items())
        if (!list.empty()) d.groups[metric].push_back(list.get<std::vector<double>>());
  }

  Json measure_here(int process) const {
    measure::VerificationTimer timer(std::max(settings_.size.count, settings_.cached_size.count));
    std::vector<std::pair<std::size_t, VerificationMetric>> works;
    for (const VerificationData& d : data_) {
      if (!d.unavailable.empty()) continue;
      for (auto& m : verification_metrics(settings_.points[d.point].algorithm, settings_))
        if (m.work.threads <= static_cast<std::uint64_t>(measure::usable_cpus()))
          works.emplace_back(d.point, std::move(m));
    }
    Json values = Json::array();
    for (std::size_t i = 0; i < data_.size(); ++i) values.push_back(Json::object());
    Random random(e_.seed, static_cast<std::uint64_t>(process) + 1);
    for (int r = 0; r < e_.repetitions; ++r) {
      random.shuffle(works);
      for (const auto& [point, m] : works) {
        Json& list = values[point][m.name];
        if (!list.is_array()) list = Json::array();
        list.push_back(timer.run(m.work) * m.share);
      }
    }
    return values;
  }

  void checkpoint() {
    check_interrupt();
    compare();
    if (options_.checkpoint) options_.checkpoint(result_);
  }

  void compare() {
    Result fresh = empty_result(e_);
    fresh.summary.not_available = result_.summary.not_available;
    fresh.summary.interrupted = result_.summary.interrupted;
    compare_verification(e_, data_, parameters_, fresh);
    result_ = std::move(fresh);
  }

  void report(std::size_t done, const std::string& what) const {
    if (options_.progress)
      options_.progress->update(done, static_cast<std::size_t>(settings_.processes), what);
  }

  const Experiment& e_;
  const VerificationSettings& settings_;
  const RunOptions& options_;
  Result result_;
  ParameterSet parameters_;
  std::vector<VerificationData> data_;
};

}  // namespace

Result run_verification(const Experiment& experiment, const RunOptions& options) {
  return VerificationRun(experiment, options).run();
}

}  // namespace missive::harness
