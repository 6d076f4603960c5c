#pragma once
// Micro-measurements for models/verification.h: every algorithm at message sizes and image sizes
// that no experiment uses; reading and copying by one core and by all; waking a team of threads. A
// list of its own, so that calibrating launches stays quick.

#include <string>
#include <vector>

#include "real/measure/micro.h"

namespace missive::measure {

struct VerificationMicro {
  std::string name;  // of the parameter, without ".byte_s" or ".call_s" (models/verification.h)
  std::string what;
  bool call, byte;
};
// Those that this host can run.
std::vector<VerificationMicro> verification_micros();

// Runs each `repetitions` times in random order (seeded). Throws RunError.
std::vector<MicroSample> run_verification_micros(int repetitions, std::uint64_t seed);

}  // namespace missive::measure
