#include "harness/launch_calibrate.h"

#include <fstream>
#include <sstream>
#include <thread>

#include <sys/utsname.h>
#include <unistd.h>

#include "harness/json_source.h"
#include "harness/measurement_lock.h"
#include "harness/micro_fit.h"
#include "harness/output_dir.h"
#include "models/error.h"
#include "models/statistics.h"
#include "real/data_dir.h"
#include "real/idle_states.h"
#include "real/launch/picoprocess.h"
#include "real/measure/micro.h"
#include "real/measure/scratch.h"
#include "real/process.h"
#include "real/zar/digest.h"

namespace missive::harness {

namespace fs = std::filesystem;

namespace {

// Of the first processor what tells kinds apart: virtual machines give several the same name.
std::string cpu_model() {
  constexpr const char* kFields[] = {"model name", "cpu family", "model\t", "stepping"};
  std::ifstream in("/proc/cpuinfo");
  std::string model;
  for (std::string line; std::getline(in, line) && !line.empty();)
    for (const char* field : kFields)
      if (line.starts_with(field)) model += line.substr(line.find(':') + 1);
  return model.empty() ? "unknown CPU" : model;
}

std::vector<GroupedSample> measure_all(const CalibrateOptions& options) {
  options.progress("calibrating: making synthetic images");
  measure::BenchBed bed(measure::scratch_parent());
  std::vector<GroupedSample> all;
  for (int g = 0; g < options.processes; ++g) {
    options.progress("calibrating this host, process " + std::to_string(g + 1) + " of " +
                     std::to_string(options.processes));
    const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(g);
    const std::string text = run_in_child(
        [&] { return encode_samples(measure::run_micros(bed, options.repetitions, seed)); },
        std::chrono::minutes(5), "calibration");
    for (measure::MicroSample& s : decode_samples(text)) all.push_back({std::move(s), g});
  }
  return all;
}

// A file from before a verifier got another engine, or a delivery came, would predict the old one.
// What is asked for here needs nothing that a host may lack, so it is always there.
bool current(const ParameterSet& set) {
  return set.contains("sha256_leaves.byte_s") && set.contains("gmac.byte_s") &&
         set.contains("block_tag.byte_s") && set.contains("erofs_view.item_s") &&
         set.contains("plan_ahead.item_s") && set.contains("hand_over_assembled.call_s") &&
         set.contains("fetch.call_s");
}

// Links are not cost models: the loopback device's latency comes from a ping-pong, its bandwidth is
// no limit of its own (the ends' copies are, and fetch has them).
void add_links(ParameterSet& out) {
  Parameter latency = out.at("loopback_latency.call_s");
  out.set("link.loopback.latency_s", latency);
  Parameter bandwidth;
  bandwidth.value = 100e9;
  bandwidth.unit = "byte/s";
  bandwidth.provenance = Provenance::assumed;
  bandwidth.source = "no wire: the ends' copies are the limit, and fetch.byte_s has them";
  bandwidth.low = bandwidth.high = bandwidth.value;
  out.set("link.loopback.bandwidth_bytes_per_s", bandwidth);
  // A small fetch crosses the link six times: handshake, recipe, blocks. The plan has these as
  // transfers.
  Parameter fetch = out.at("fetch.call_s");
  const double trips = 6 * latency.value;
  fetch.value = std::max(0.0, fetch.value - trips);
  fetch.low = std::max(0.0, fetch.low - trips);
  fetch.high = std::max(fetch.value, fetch.high - trips);
  out.set("fetch.call_s", fetch);
}

}  // namespace

fs::path host_parameters_file() {
  utsname name{};
  ::uname(&name);
  std::ostringstream host;
  host << cpu_model() << '|' << std::thread::hardware_concurrency() << '|' << name.release << '|'
       << name.machine;
  const std::string text = host.str();
  const auto digest = zar::sha256(std::as_bytes(std::span(text)));
  return launch::home() / "parameters" / (zar::to_hex(digest).substr(0, 16) + ".json");
}

ParameterSet calibrate_host(const CalibrateOptions& options) {
  launch::gain_mount_rights();
  const auto lock = hold_measurement_lock();
  const AwakeProcessors awake = keep_processors_awake();  // as while launches are measured
  const auto samples = measure_all(options);
  ParameterSet out;
  for (const measure::Micro& m : measure::micros())
    fit_micro(out, {m.name, m.what, m.call, m.byte, m.item}, samples, options.seed);
  add_links(out);
  return out;
}

void save_host_parameters(const ParameterSet& parameters) {
  write_atomically(host_parameters_file(), parameters.to_json().dump(1) + "\n");
}

ParameterSet load_or_calibrate(const CalibrateOptions& options) {
  const fs::path file = host_parameters_file();
  if (std::ifstream in(file); in) {
    try {
      ParameterSet set = ParameterSet::from_json(Json::parse(in), file.string());
      if (current(set)) return set;
      options.progress("the parameters of this host are of an older program; calibrating anew");
    } catch (const Json::exception&) {
      throw InputError(file.string() +
                       ": not readable as JSON; make it anew with: missive-sim calibrate");
    }
  }
  options.progress("no parameters of this host yet; calibrating once");
  ParameterSet made = calibrate_host(options);
  save_host_parameters(made);
  return made;
}

ParameterSet reference_parameters() {
  const fs::path file = data_dir() / "experiments" / "parameters" / "reference.json";
  std::ifstream in(file);
  if (!in)
    throw RunError(
        file.string() +
        ": not found; calibrate this host (missive-sim calibrate) or set MISSIVE_DATA_DIR");
  ParameterSet shipped = ParameterSet::from_json(Json::parse(in), file.string());
  ParameterSet out;
  for (auto [name, p] : shipped.all()) {
    if (p.provenance == Provenance::measured) {
      p.provenance = Provenance::assumed;
      p.source = "measured on the reference machine, not on this host: " + p.source;
    }
    out.set(name, p);
  }
  return out;
}

}  // namespace missive::harness
