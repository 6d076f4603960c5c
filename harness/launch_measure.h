#pragma once
// The measured half of a launch experiment: launches of every point and native starts, by turns and
// in random order, on testbeds of this host.

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "harness/compare_metrics.h"
#include "harness/experiment.h"
#include "harness/launch_run.h"
#include "harness/measurement_lock.h"
#include "real/idle_states.h"
#include "real/launch/testbed.h"
#include "real/measure/memory_reserve.h"

namespace missive::harness {

class LaunchMeasurement {
 public:
  // Waits for no other measurement: throws RunError while there is one. As long as this lives none
  // can begin, and the processors stay awake, unless the experiment wants them as the host has
  // them.
  LaunchMeasurement(const Experiment& experiment, const RunOptions& options);

  // Testbeds of all images that the experiment names; their facts are saved. Throws NotAvailable
  // when this host cannot.
  void prepare();

  // `data` has an entry for each point of the experiment and gets its launches and native starts.
  // What fails is said in `summary`. After each round `round_done`.
  struct Wanted {
    bool inputs = false;  // native starts beside those that are shown
    std::function<void()> round_done;
  };
  void run(std::vector<PointData>& data, Summary& summary, const Wanted& wanted);

  // Seconds of the native starts that no comparison uses, in their order, by application.
  std::map<std::string, std::vector<double>> take_inputs();
  // Of the processors, meanwhile: "off", or "on" and, where that was not the wish, why.
  const std::string& idle_states() const { return idle_states_; }

 private:
  void stay_awake();
  void warm_up();
  std::vector<std::function<void()>> jobs_of(std::size_t round, std::vector<PointData>& data,
                                             Summary& summary, bool inputs);
  void measure_point(PointData& d, std::size_t round, Summary& summary);
  void measure_native(const std::string& key, launch::Testbed& bed, std::size_t n,
                      std::vector<PointData>& data);
  double native_seconds(launch::Testbed& bed);

  const Experiment& experiment_;
  const RunOptions& options_;
  std::shared_ptr<MeasurementLock> lock_;
  AwakeProcessors awake_;
  std::string idle_states_ = "on";
  std::map<std::string, std::unique_ptr<launch::Testbed>> beds_;  // by facts_key()
  std::optional<measure::MemoryReserve> reserve_;
  std::map<std::size_t, int> failed_;                  // launches of a point
  std::map<std::string, std::vector<double>> inputs_;  // of each testbed
};

}  // namespace missive::harness
