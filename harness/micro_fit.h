#pragma once
// From the samples of a micro-measurement to parameters of the cost models.

#include <cstdint>
#include <string>
#include <vector>

#include "models/parameter.h"
#include "real/measure/micro.h"

namespace missive::harness {

struct GroupedSample {
  measure::MicroSample sample;
  int group = 0;  // process
};

struct MicroColumns {
  std::string name, what;
  bool call = false, byte = false, item = false;
};

// Fits what `all` has of that micro-measurement and sets NAME.call_s, NAME.byte_s and NAME.item_s,
// as far as its columns go: also those that no model uses, which take up what is not its work.
// Does nothing when there is no sample of it.
void fit_micro(ParameterSet& out, const MicroColumns& micro, const std::vector<GroupedSample>& all,
               std::uint64_t seed);

std::string encode_samples(const std::vector<measure::MicroSample>& samples);
std::vector<measure::MicroSample> decode_samples(const std::string& text);

// ISO 8601, UTC.
std::string today();

}  // namespace missive::harness
