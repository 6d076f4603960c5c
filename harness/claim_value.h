#pragma once
// The number a claim is about, taken from a result.json document in one of its two worlds.

#include <optional>
#include <string>

#include "harness/claims.h"

namespace missive::harness {

struct ClaimNumber {
  double value = 0, low = 0, high = 0;  // low == high == value where there is no interval
  std::size_t n = 1;                    // the fewest repetitions behind any part of it
  bool exact = true;                    // simulated, counted or given: one value settles it
};

struct Evaluated {
  std::optional<ClaimNumber> number;
  std::string why_not;  // where there is none
};

// The judged number of the claim: of an order the least factor between neighbours, of a trend the
// exponent, and so on (harness/claims.h). `result` may be null for closed forms.
Evaluated evaluate(const Claim& claim, World world, const Json& result);

// A numeric parameter of the point a term means; nothing when there is no such point or parameter.
std::optional<double> point_parameter(const ClaimTerm& term, const std::string& name,
                                      const Json& result);

}  // namespace missive::harness
