#include "harness/verification_calibrate.h"

#include <chrono>
#include <fstream>

#include "harness/json_source.h"
#include "harness/measurement_lock.h"
#include "harness/micro_fit.h"
#include "harness/output_dir.h"
#include "real/measure/micro_verification.h"
#include "real/process.h"

namespace missive::harness {

namespace {

bool complete(const ParameterSet& set) {
  for (const measure::VerificationMicro& m : measure::verification_micros())
    if (!set.contains(m.name + (m.call ? ".call_s" : ".byte_s"))) return false;
  return true;
}

}  // namespace

std::filesystem::path verification_parameters_file() {
  std::filesystem::path file = host_parameters_file();
  // The number goes up when an engine or its measurement changes: what was calibrated before would
  // predict another program.
  file.replace_extension("verification-3.json");
  return file;
}

ParameterSet calibrate_verification(const CalibrateOptions& options) {
  const auto lock = hold_measurement_lock();
  std::vector<GroupedSample> all;
  for (int g = 0; g < options.processes; ++g) {
    options.progress("calibrating verification, process " + std::to_string(g + 1) + " of " +
                     std::to_string(options.processes));
    const std::uint64_t seed = options.seed + static_cast<std::uint64_t>(g);
    const std::string text = run_in_child(
        [&] { return encode_samples(measure::run_verification_micros(options.repetitions, seed)); },
        std::chrono::minutes(5), "calibration of verification");
    for (measure::MicroSample& s : decode_samples(text)) all.push_back({std::move(s), g});
  }
  ParameterSet out;
  for (const measure::VerificationMicro& m : measure::verification_micros())
    fit_micro(out, {m.name, m.what, m.call, m.byte, false}, all, options.seed);
  return out;
}

ParameterSet load_or_calibrate_verification(const CalibrateOptions& options) {
  const auto file = verification_parameters_file();
  if (std::ifstream in(file); in) {
    try {
      ParameterSet set = ParameterSet::from_json(nlohmann::json::parse(in), file.string());
      if (complete(set)) return set;
    } catch (const nlohmann::json::exception&) {
      options.progress(file.string() + ": not readable; calibrating anew");
    }
  }
  ParameterSet made = calibrate_verification(options);
  write_atomically(file, made.to_json().dump(1) + "\n");
  return made;
}

}  // namespace missive::harness
