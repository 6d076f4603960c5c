#include "harness/launch_run.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include <fmt/format.h>

#include "harness/compare_metrics.h"
#include "harness/launch_calibrate.h"
#include "harness/launch_facts.h"
#include "harness/launch_inputs.h"
#include "harness/measurement_lock.h"
#include "harness/parameter_source.h"
#include "harness/progress.h"
#include "models/error.h"
#include "models/random.h"
#include "real/idle_states.h"
#include "real/launch/reader.h"
#include "real/launch/testbed.h"
#include "real/measure/memory_reserve.h"
#include "real/process.h"
#include "real/verify/verification_mode.h"
#include "real/verify/verifier.h"
#include "sim/simgrid_executor.h"

namespace missive::harness {

namespace {

launch::LaunchVariant variant_of(const LaunchPoint& p) {
  launch::LaunchVariant v;
  v.temperature = p.temperature;
  for (const auto& info : verify::verifiers())
    if (info.name == p.verifier) v.keyed = info.keyed;
  v.verification = p.verification;
  v.delivery = p.delivery;
  v.hand_over = p.hand_over;
  return v;
}

launch::TestbedOptions testbed_options(const LaunchPoint& p, const Experiment& e,
                                       Progress* progress) {
  launch::TestbedOptions o;
  o.application = launch::application_of(p.application);
  o.warm_with = launch::application_of(p.warm_with);
  o.image.block_size = static_cast<std::uint32_t>(p.block_size.count);
  o.image.degree = p.degree;
  o.image.packing = p.pack_small_files ? "path" : "page";
  o.deadline = std::chrono::duration_cast<std::chrono::milliseconds>(e.deadline);
  o.progress = [progress](const std::string& line) {
    if (progress) progress->note(line);
  };
  return o;
}

// Of native starts, for their median to be an input.
constexpr std::size_t kLeastInputs = 7;

// What a start takes of fresh memory at most: the application's own, and a launch's copies of its
// image (the cache's store and memory file, the delivered files).
constexpr std::uint64_t kOwnMemory = 192 << 20;
std::uint64_t fresh_memory(std::uint64_t image) { return kOwnMemory + 3 * image; }

class LaunchRun {
 public:
  LaunchRun(const Experiment& experiment, const RunOptions& options)
      : experiment_(experiment), options_(options), result_(empty_result(experiment)) {
    data_.resize(experiment.points.size());
    for (std::size_t i = 0; i < data_.size(); ++i) data_[i].point = i;
  }

  Result run() {
    try {
      std::shared_ptr<MeasurementLock> lock;
      AwakeProcessors awake;
      if (experiment_.backend != Backend::sim) {
        lock = hold_measurement_lock();
        awake = stay_awake();
      }
      const bool real = experiment_.backend != Backend::sim && prepare_real();
      gather_parameters(real);
      const bool simulates = experiment_.backend != Backend::real;
      if (simulates && knows_native_starts()) simulate_all();
      finish_round();
      if (real) measure_all();
      if (simulates && !inputs_.empty()) {
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
  // Unless the experiment wants the idle states, or the host does not give them up.
  AwakeProcessors stay_awake() {
    if (experiment_.idle_states) return {};
    AwakeProcessors awake = keep_processors_awake();
    if (options_.progress && !awake.unavailable.empty())
      options_.progress->note("processors cannot be kept out of idle states (" + awake.unavailable +
                              "); launches vary more");
    idle_states_ = awake.unavailable.empty() ? "off" : "on (" + awake.unavailable + ")";
    return awake;
  }

  // Testbeds of all images the experiment names; false (and a note in the result) when this host
  // cannot.
  bool prepare_real() {
    try {
      for (const auto& p : experiment_.points) {
        auto& bed = beds_[facts_key(p)];
        if (bed) continue;
        bed = std::make_unique<launch::Testbed>(testbed_options(p, experiment_, options_.progress));
        save_facts(facts_key(p), facts_of(*bed));
      }
      return true;
    } catch (const NotAvailable& e) {
      if (experiment_.backend == Backend::real) throw;
      result_.summary.not_available.push_back(std::string("real launches: ") + e.what());
      beds_.clear();
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
    std::map<std::string, std::vector<double>> seconds;
    for (const LaunchPoint& p : experiment_.points) {
      std::vector<double>& all = seconds[p.application];
      const auto taken = inputs_.extract(facts_key(p));
      if (taken) all.insert(all.end(), taken.mapped().begin(), taken.mapped().end());
    }
    ParameterSet inputs;
    for (const auto& [application, starts] : seconds)
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

  ParameterSet parameters_for(const LaunchPoint& p) const {
    ParameterSet own = parameters_;
    own.set("native_ready.call_s", parameters_.at(native_ready_name(p.application)));
    set_origin_link(own, p);
    return own;
  }

  void simulate_point(std::size_t index) {
    const LaunchPoint& p = experiment_.points[index];
    const auto facts = load_facts(facts_key(p));
    if (!facts)
      throw NotAvailable("the image of " + p.application +
                         " with these options was never built, and its facts do not ship; "
                         "run the experiment with --backend both once");
    const auto variant = variant_of(p);
    LaunchScenario scenario;
    scenario.temperature = p.temperature;
    scenario.keyed = variant.keyed;
    scenario.lazy = verify::verification_mode(p.verification).lazy;
    scenario.delivery = p.delivery;
    scenario.hand_over = p.hand_over;
    scenario.image = facts->image;
    scenario.application = facts->application;
    scenario.missing_blocks = facts->missing(p.temperature);
    const ParameterSet parameters = parameters_for(p);

    PointData& d = data_[index];
    const Plan plan = plan_launch(scenario);
    SimOptions same_machine;
    same_machine.origin_shares_machine = true;  // as in the real run: everything on loopback
    const SimulationResult here = simulate(plan, parameters, same_machine);
    d.simulated = times_of(here.records);
    d.simulated[kNativeTwin] = parameters.value("native_ready.call_s");
    d.simulated_records = here.records;
    d.simulated_amounts = total_amounts(here.records);
    d.parameters = here.parameters_used;
    // By the name that says whose start it is: a result of several applications has several.
    if (d.parameters.erase("native_ready.call_s") > 0)
      d.parameters.insert(native_ready_name(p.application));

    scenario.origin_link = "origin";
    const SimulationResult far = simulate(plan_launch(scenario), parameters);
    const auto far_times = times_of(far.records);
    d.simulated_only["total_over_link"] = far_times.at(kTotal);
    if (const auto fetch = far_times.find("fetch"); fetch != far_times.end())
      d.simulated_only["fetch_over_link"] = fetch->second;
    if (index == 0) settings_ = here.settings;
  }

  void simulate_all() {
    std::atomic<std::size_t> next{0};
    std::mutex mutex;
    std::exception_ptr first_error;
    const auto work = [&] {
      for (std::size_t i = next++; i < data_.size(); i = next++) try {
          simulate_point(i);
        } catch (...) {
          const std::lock_guard lock(mutex);
          if (!first_error) first_error = std::current_exception();
        }
    };
    std::vector<std::jthread> workers;
    for (int j = 1; j < options_.jobs; ++j) workers.emplace_back(work);
    work();
    workers.clear();
    if (first_error) std::rethrow_exception(first_error);
  }

  // Every round launches every point once and the native twins in between, in random order.
  void measure_all() {
    std::uint64_t largest = 0;
    for (const auto& [key, bed] : beds_) largest = std::max(largest, bed->image().length.count);
    reserve_.emplace(fresh_memory(largest));
    warm_up();
    const auto rounds = static_cast<std::size_t>(experiment_.repetitions);
    const auto natives = static_cast<std::size_t>(experiment_.native_repetitions);
    const bool asks = own_ && !(options_.part && knows_native_starts());
    const std::size_t inputs = asks ? std::max(natives, kLeastInputs) : 0;
    for (std::size_t round = 0; round < rounds; ++round) {
      std::vector<std::function<void()>> jobs;
      for (std::size_t i = 0; i < data_.size(); ++i)
        jobs.push_back([this, i, round] { measure_point(i, round); });
      // Native starts spread evenly over the rounds: those that are shown, and the input.
      const auto spread = [&](std::size_t all, const auto& job) {
        for (std::size_t n = all * round / rounds; n < all * (round + 1) / rounds; ++n)
          for (const auto& [key, bed] : beds_)
            jobs.push_back([key = key, n, bed = bed.get(), job] { job(key, *bed, n); });
      };
      spread(natives, [this](const std::string& key, launch::Testbed& bed, std::size_t n) {
        measure_native(key, bed, n);
      });
      spread(inputs, [this](const std::string& key, launch::Testbed& bed, std::size_t) {
        inputs_[key].push_back(native_seconds(bed));
      });
      Random random(experiment_.seed, round + 1);
      random.shuffle(jobs);
      for (std::size_t j = 0; j < jobs.size(); ++j) {
        check_interrupt();
        if (options_.progress)
          options_.progress->update(round * jobs.size() + j, rounds * jobs.size(), "launching");
        jobs[j]();
      }
      finish_round();
    }
  }

  void warm_up() {
    for (int i = 0; i < experiment_.warmup; ++i)
      for (const auto& [key, bed] : beds_) {
        bed->native();
        for (const auto t : {Temperature::cold, Temperature::hot}) {
          launch::LaunchVariant v;
          v.temperature = t;
          bed->launch(v);
        }
      }
  }

  void measure_point(std::size_t index, std::size_t round) {
    PointData& d = data_[index];
    const LaunchPoint& p = experiment_.points[index];
    if (failed_[index] >= 2) return;  // said twice is enough
    try {
      launch::Testbed& bed = *beds_.at(facts_key(p));
      const auto loan = reserve_->lend(fresh_memory(bed.image().length.count));
      const auto outcome = bed.launch(variant_of(p));
      Launch launch;
      launch.process = static_cast<int>(round);
      launch.times = times_of(outcome.records);
      launch.amounts = total_amounts(outcome.records);
      d.launches.push_back(std::move(launch));
      d.launch_records.push_back(outcome.records);
    } catch (const NotAvailable& e) {
      failed_[index] = 2;
      result_.summary.not_available.push_back(p.label + ": " + e.what());
    } catch (const RunError& e) {
      ++failed_[index];
      result_.summary.failures.push_back(p.label + ": " + e.what());
    }
  }

  double native_seconds(launch::Testbed& bed) {
    const auto loan = reserve_->lend(kOwnMemory);
    return to_seconds(total_time(bed.native().records));
  }

  void measure_native(const std::string& key, launch::Testbed& bed, std::size_t n) {
    Launch native;
    native.process = static_cast<int>(n);
    native.times[kNativeTwin] = native_seconds(bed);
    for (PointData& d : data_)
      if (facts_key(experiment_.points[d.point]) == key) d.native.push_back(native);
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
      all = parameters_for(experiment_.points.front());
    compare(experiment_, data_, all, fresh);
    if (!settings_.empty()) fresh.context["simulator"] = settings_;
    if (experiment_.backend != Backend::sim) fresh.context["idle_states"] = idle_states_;
    result_ = std::move(fresh);
  }

  const Experiment& experiment_;
  const RunOptions& options_;
  Result result_;
  std::vector<PointData> data_;
  std::map<std::size_t, int> failed_;
  std::map<std::string, std::unique_ptr<launch::Testbed>> beds_;
  ParameterSet parameters_;
  std::optional<ParameterSet> own_;  // this host's, where launches are measured on it
  std::map<std::string, std::vector<double>> inputs_;  // native starts of each testbed, seconds
  std::optional<measure::MemoryReserve> reserve_;
  std::map<std::string, std::string> settings_;
  std::string idle_states_ = "on";  // of the processors, while launches are measured
};

}  // namespace

Result run_launch(const Experiment& experiment, const RunOptions& options) {
  return LaunchRun(experiment, options).run();
}

}  // namespace missive::harness
