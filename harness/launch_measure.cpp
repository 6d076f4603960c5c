#include "harness/launch_measure.h"

#include <algorithm>
#include <utility>

#include "harness/launch_facts.h"
#include "harness/progress.h"
#include "models/error.h"
#include "models/random.h"
#include "real/launch/reader.h"
#include "real/process.h"
#include "real/verify/verifier.h"

namespace missive::harness {

namespace {

launch::LaunchVariant variant_of(const LaunchPoint& p) {
  launch::LaunchVariant v;
  v.temperature = p.temperature;
  v.keyed = verify::verifier(p.verifier).keyed;
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

}  // namespace

LaunchMeasurement::LaunchMeasurement(const Experiment& experiment, const RunOptions& options)
    : experiment_(experiment), options_(options), lock_(hold_measurement_lock()) {
  if (!experiment_.idle_states) stay_awake();
}

void LaunchMeasurement::stay_awake() {
  awake_ = keep_processors_awake();
  if (awake_.unavailable.empty()) {
    idle_states_ = "off";
    return;
  }
  idle_states_ = "on (" + awake_.unavailable + ")";
  if (options_.progress)
    options_.progress->note("processors cannot be kept out of idle states (" + awake_.unavailable +
                            "); launches vary more");
}

void LaunchMeasurement::prepare() {
  try {
    for (const LaunchPoint& p : experiment_.points) {
      auto& bed = beds_[facts_key(p)];
      if (bed) continue;
      bed = std::make_unique<launch::Testbed>(testbed_options(p, experiment_, options_.progress));
      save_facts(facts_key(p), facts_of(*bed));
    }
  } catch (...) {
    beds_.clear();
    throw;
  }
}

// Every round launches every point once and the native twins in between, in random order.
void LaunchMeasurement::run(std::vector<PointData>& data, Summary& summary, const Wanted& wanted) {
  std::uint64_t largest = 0;
  for (const auto& [key, bed] : beds_) largest = std::max(largest, bed->image().length.count);
  reserve_.emplace(fresh_memory(largest));
  warm_up();
  const auto rounds = static_cast<std::size_t>(experiment_.repetitions);
  for (std::size_t round = 0; round < rounds; ++round) {
    auto jobs = jobs_of(round, data, summary, wanted.inputs);
    Random random(experiment_.seed, round + 1);
    random.shuffle(jobs);
    for (std::size_t j = 0; j < jobs.size(); ++j) {
      check_interrupt();
      if (options_.progress)
        options_.progress->update(round * jobs.size() + j, rounds * jobs.size(), "launching");
      jobs[j]();
    }
    wanted.round_done();
  }
}

std::vector<std::function<void()>> LaunchMeasurement::jobs_of(std::size_t round,
                                                              std::vector<PointData>& data,
                                                              Summary& summary, bool inputs) {
  std::vector<std::function<void()>> jobs;
  for (PointData& d : data)
    jobs.emplace_back([this, &d, &summary, round] { measure_point(d, round, summary); });
  // Native starts spread evenly over the rounds: those that are shown, and the input.
  const auto rounds = static_cast<std::size_t>(experiment_.repetitions);
  const auto spread = [&](std::size_t all, const auto& job) {
    for (std::size_t n = all * round / rounds; n < all * (round + 1) / rounds; ++n)
      for (const auto& [key, bed] : beds_)
        jobs.emplace_back([key = key, n, bed = bed.get(), job] { job(key, *bed, n); });
  };
  const auto natives = static_cast<std::size_t>(experiment_.native_repetitions);
  spread(natives, [this, &data](const std::string& key, launch::Testbed& bed, std::size_t n) {
    measure_native(key, bed, n, data);
  });
  if (inputs)
    spread(std::max(natives, kLeastInputs),
           [this](const std::string& key, launch::Testbed& bed, std::size_t) {
             inputs_[key].push_back(native_seconds(bed));
           });
  return jobs;
}

void LaunchMeasurement::warm_up() {
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

void LaunchMeasurement::measure_point(PointData& d, std::size_t round, Summary& summary) {
  const LaunchPoint& p = experiment_.points[d.point];
  int& failed = failed_[d.point];
  if (failed >= 2) return;  // said twice is enough
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
    failed = 2;
    summary.not_available.push_back(p.label + ": " + e.what());
  } catch (const RunError& e) {
    ++failed;
    summary.failures.push_back(p.label + ": " + e.what());
  }
}

double LaunchMeasurement::native_seconds(launch::Testbed& bed) {
  const auto loan = reserve_->lend(kOwnMemory);
  return to_seconds(total_time(bed.native().records));
}

void LaunchMeasurement::measure_native(const std::string& key, launch::Testbed& bed, std::size_t n,
                                       std::vector<PointData>& data) {
  Launch native;
  native.process = static_cast<int>(n);
  native.times[kNativeTwin] = native_seconds(bed);
  for (PointData& d : data)
    if (facts_key(experiment_.points[d.point]) == key) d.native.push_back(native);
}

std::map<std::string, std::vector<double>> LaunchMeasurement::take_inputs() {
  std::map<std::string, std::vector<double>> seconds;
  for (const LaunchPoint& p : experiment_.points) {
    const auto taken = inputs_.extract(facts_key(p));
    if (!taken) continue;
    std::vector<double>& all = seconds[p.application];
    all.insert(all.end(), taken.mapped().begin(), taken.mapped().end());
  }
  return seconds;
}

}  // namespace missive::harness
