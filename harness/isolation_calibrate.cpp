#include "harness/isolation_calibrate.h"

#include <chrono>
#include <fstream>

#include <fmt/format.h>

#include "harness/isolation_compare.h"
#include "harness/json_source.h"
#include "harness/measurement_lock.h"
#include "harness/micro_fit.h"
#include "harness/output_dir.h"
#include "models/error.h"
#include "real/domains/cells/memory.h"
#include "real/measure/micro_isolation.h"
#include "real/process.h"

namespace missive::harness {

namespace {

// A micro-measurement that came or changed its columns since the file was written makes it stale.
bool complete(const ParameterSet& set) {
  for (const measure::IsolationMicro& micro : measure::isolation_micros()) {
    if (!measure::isolation_micro_unavailable(micro.name).empty()) continue;
    if ((micro.call && !set.contains(micro.name + ".call_s")) ||
        (micro.byte && !set.contains(micro.name + ".byte_s")) ||
        (micro.item && !set.contains(micro.name + ".item_s")))
      return false;
  }
  return set.contains(kMakerPages);
}

// What a process has to itself that this program forks to make domains in.
Parameter pages_of_a_maker() {
  const std::string text =
      run_in_child([] { return std::to_string(domains::private_pages()); },
                   std::chrono::seconds(10), "counting the pages of a measuring process");
  Parameter p;
  p.value = p.low = p.high = std::stod(text);
  p.unit = "1";
  p.provenance = Provenance::measured;
  p.source = "anonymous pages (smaps_rollup) of a process that this program has forked";
  p.date = today();
  return p;
}

}  // namespace

std::filesystem::path isolation_parameters_file() {
  std::filesystem::path file = host_parameters_file();
  file.replace_extension("isolation.json");
  return file;
}

ParameterSet calibrate_isolation(const CalibrateOptions& options) {
  const auto lock = hold_measurement_lock();
  const int repetitions = 4 * options.repetitions;  // they are short
  // What the samples take of this process's heap is copied with every fork: those that fork come
  // first.
  std::vector<GroupedSample> all;
  for (const measure::MicroProcess where : measure::kMicroProcesses)
    for (int g = 0; g < options.processes; ++g) {
      options.progress(fmt::format(
          "calibrating isolation primitives, part {} of {}, process {} of {}",
          static_cast<int>(where) + 1, measure::kMicroProcesses.size(), g + 1, options.processes));
      const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(g);
      const std::string text = run_in_child(
          [&] { return encode_samples(measure::run_isolation_micros(where, repetitions, seed)); },
          std::chrono::minutes(2), "calibration of isolation primitives");
      for (measure::MicroSample& s : decode_samples(text)) all.push_back({std::move(s), g});
    }
  ParameterSet out;
  for (const measure::IsolationMicro& m : measure::isolation_micros())
    fit_micro(out, {m.name, m.what, m.call, m.byte, m.item}, all, options.seed);
  out.set(kMakerPages, pages_of_a_maker());
  return out;
}

void save_isolation_parameters(const ParameterSet& parameters) {
  write_atomically(isolation_parameters_file(), parameters.to_json().dump(1) + "\n");
}

ParameterSet load_or_calibrate_isolation(const CalibrateOptions& options) {
  const auto file = isolation_parameters_file();
  if (std::ifstream in(file); in) {
    try {
      ParameterSet set = ParameterSet::from_json(nlohmann::json::parse(in), file.string());
      if (complete(set)) return set;
    } catch (const nlohmann::json::exception&) {
      options.progress(file.string() + ": not readable; calibrating anew");
    }
  }
  ParameterSet made = calibrate_isolation(options);
  save_isolation_parameters(made);
  return made;
}

}  // namespace missive::harness
