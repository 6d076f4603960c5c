#include "harness/isolation_run.h"

#include <map>
#include <memory>

#include <fmt/format.h>

#include "harness/isolation_calibrate.h"
#include "harness/isolation_compare.h"
#include "harness/measurement_lock.h"
#include "harness/parameter_source.h"
#include "harness/progress.h"
#include "harness/published_files.h"
#include "models/error.h"
#include "models/random.h"
#include "real/domains/domain.h"
#include "real/process.h"

namespace missive::harness {

namespace {

// Why the mechanism does not run here, once what it needs has been fetched.
std::string reason_not_here(const domains::Mechanism& m) {
  try {
    if (m.prepare) m.prepare();
  } catch (const NotAvailable& e) {
    return e.what();
  }
  return m.unavailable();
}

class IsolationRun {
 public:
  IsolationRun(const Experiment& e, const RunOptions& options)
      : e_(e), options_(options), published_(load_published()), result_(empty_result(e)) {
    data_.resize(isolation_settings(e).points.size());
    for (std::size_t i = 0; i < data_.size(); ++i) data_[i].point = i;
  }

  Result run() {
    try {
      std::shared_ptr<MeasurementLock> lock;
      if (e_.backend != Backend::sim) lock = hold_measurement_lock();
      find_unavailable();
      if (e_.backend != Backend::real)
        parameters_ = e_.named_parameters.empty() ? load_or_calibrate_isolation(calibration())
                                                  : named_parameters(e_.named_parameters);
      checkpoint();
      if (e_.backend != Backend::sim) measure_all();
    } catch (const Interrupted&) {
      result_.summary.interrupted = true;
    }
    compare();
    return std::move(result_);
  }

 private:
  void find_unavailable() {
    std::map<std::string, std::string> reasons, untimed;
    for (const std::string& name : isolation_settings(e_).mechanisms) {
      check_interrupt();
      report(0, 0, "asking what runs here: " + name);
      const domains::Mechanism& m = domains::mechanism(name);
      reasons[name] = reason_not_here(m);
      untimed[name] = reasons[name].empty() ? domains::why_untimed(m) : reasons[name];
      const bool not_timed = reasons[name].empty() && !untimed[name].empty();
      if (!untimed[name].empty())
        result_.summary.not_available.push_back(name + (not_timed ? ", times: " : ": ") +
                                                untimed[name]);
    }
    bool any = false;
    for (IsolationData& d : data_) {
      // Attacks are no times: they run wherever the mechanism does.
      const IsolationPoint& point = isolation_settings(e_).points[d.point];
      d.unavailable = (point.cell == Cell::security ? reasons : untimed).at(point.mechanism);
      any |= d.unavailable.empty();
    }
    if (!any)
      throw NotAvailable("none of the mechanisms asked for can answer here: " +
                         result_.summary.not_available.front());
  }

  CalibrateOptions calibration() const {
    CalibrateOptions c;
    c.progress = [this](const std::string& line) { report(0, 0, line); };
    return c;
  }

  // Every round measures every cell once, in another order.
  void measure_all() {
    const int rounds = isolation_settings(e_).processes;
    std::size_t done = 0, all = 0;
    for (const IsolationData& d : data_)
      if (d.unavailable.empty())
        all += repeats(isolation_settings(e_).points[d.point].cell)
                   ? static_cast<std::size_t>(rounds)
                   : 1;
    for (int round = 0; round < rounds; ++round) {
      std::vector<std::size_t> order;
      for (const IsolationData& d : data_)
        if (d.unavailable.empty() &&
            (round == 0 || repeats(isolation_settings(e_).points[d.point].cell)))
          order.push_back(d.point);
      Random random(e_.seed, static_cast<std::uint64_t>(round) + 1);
      random.shuffle(order);
      for (const std::size_t point : order) {
        check_interrupt();
        report(done++, all, isolation_settings(e_).points[point].label);
        measure(point, round);
      }
      checkpoint();
    }
  }

  void measure(std::size_t index, int round) {
    const IsolationPoint& point = isolation_settings(e_).points[index];
    if (failed_[index]) return;  // said once is enough
    try {
      CellMeasurement m = measure_cell(
          point, e_, e_.seed + static_cast<std::uint64_t>(round) * 1000 + index, round == 0);
      for (const std::string& broken : m.broken_claims)
        result_.summary.failures.push_back(point.mechanism +
                                           " does not keep its promise: " + broken);
      if (round == 0 && !m.stopped_by.empty() && options_.progress)
        options_.progress->note(point.label + " stopped early: " + m.stopped_by);
      data_[index].processes.push_back(std::move(m));
    } catch (const NotAvailable& e) {
      failed_[index] = true;
      result_.summary.not_available.push_back(point.label + ": " + e.what());
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& e) {
      failed_[index] = true;
      result_.summary.failures.push_back(point.label + ": " + e.what());
    }
  }

  void checkpoint() {
    compare();
    if (options_.checkpoint) options_.checkpoint(result_);
  }

  void compare() {
    Result fresh = empty_result(e_);
    fresh.summary.failures = result_.summary.failures;
    fresh.summary.not_available = result_.summary.not_available;
    fresh.summary.interrupted = result_.summary.interrupted;
    compare_isolation(e_, data_, parameters_, published_, fresh);
    result_ = std::move(fresh);
  }

  void report(std::size_t done, std::size_t all, const std::string& what) const {
    if (options_.progress) options_.progress->update(done, all, what);
  }

  const Experiment& e_;
  const RunOptions& options_;
  PublishedCatalogue published_;
  Result result_;
  ParameterSet parameters_;
  std::vector<IsolationData> data_;
  std::map<std::size_t, bool> failed_;
};

}  // namespace

Result run_isolation(const Experiment& experiment, const RunOptions& options) {
  return IsolationRun(experiment, options).run();
}

std::vector<DoctorEntry> isolation_doctor_entries() {
  std::vector<DoctorEntry> all;
  for (const domains::Mechanism& m : domains::mechanisms()) {
    check_interrupt();
    const std::string why_not = m.unavailable();
    const std::string untimed = why_not.empty() ? domains::why_untimed(m) : "";
    all.push_back({"isolation", m.name, why_not.empty(),
                   !why_not.empty()  ? why_not
                   : untimed.empty() ? m.what
                                     : "runs, not timed: " + untimed});
  }
  return all;
}

}  // namespace missive::harness
