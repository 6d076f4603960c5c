#pragma once
// A sweep: a grid over JSON pointers. {"/a": [1, 2], "/b": [3, 4]} has the points a=1 b=3, a=1 b=4,
// a=2 b=3, a=2 b=4; `exclude` takes some of them out.

#include <string>
#include <vector>

#include "harness/json_source.h"
#include "harness/schema.h"

namespace missive::harness {

inline constexpr std::size_t kMaxPoints = 100'000;

// The values one point gives to the swept pointers, in the order of the sweep.
struct SweepPoint {
  std::vector<std::pair<std::string, Json>> values;
};

// What is wrong with "sweep" and "exclude" of `document`: pointers that name nothing or hold for
// the whole experiment, values the schema refuses, exclusions of what is not swept, no point left.
std::vector<Problem> check_sweep(const Json& document, const Schema& schema);

// Requires check_sweep() to be content. A document without sweep has one point.
std::vector<SweepPoint> expand_sweep(const Json& document);

// Takes `pointer` out of the sweep because it was given `value`; exclusions that no longer apply
// go.
void fix_in_sweep(Json& document, const std::string& pointer, const Json& value);

}  // namespace missive::harness
