#pragma once
// From a result to a verdict on each claim.
//
// A measured number comes with a 95 % interval. It is judged by the whole interval: inside the
// limits it is reproduced, outside it is not reproduced, and across a limit it is inconclusive;
// then it is said about how many repetitions would tell, because intervals shrink with the square
// root of their number. Intervals of composed numbers are those of the extreme combinations, which
// is wider than needed and never too narrow. Simulated numbers and counts have no interval.
//
//   reproduced, not reproduced, inconclusive
//   not run here     with the reason: no experiment, a mechanism that is missing, a metric that the
//                    run left out, an absolute figure of other hardware (its number here is shown)
//   not supported    nobody can judge it: what it would take was never published
//
// Of claims that are not reproduced only T0 and T1, and T2 on the hardware it names, decide the
// exit status.

#include <optional>
#include <string>
#include <vector>

#include "harness/claim_value.h"
#include "harness/claims.h"

namespace missive::harness {

enum class Verdict { reproduced, not_reproduced, inconclusive, not_run, not_supported };
std::string to_string(Verdict verdict);

struct ClaimVerdict {
  std::string id;
  Verdict verdict = Verdict::not_run;
  std::string why;  // for every verdict but reproduced
  std::optional<ClaimNumber> simulated, measured;
  // Whether the simulated number alone would hold; nothing where there is none.
  std::optional<bool> simulated_holds;
  bool decides = false;  // a "not reproduced" makes the exit status 3
};

// `result` is a result.json document ("missive-sim/result/1"), or null for claims that need none;
// throws InputError when it is not one. A claim on another experiment than the result's is not run.
ClaimVerdict judge(const Claim& claim, const Json& result);

// Every claim that is bound to the result's experiment, in the file's order.
std::vector<ClaimVerdict> judge_all(const ClaimsFile& claims, const Json& result);

// Whether exit status 3 is due.
bool any_broken(const std::vector<ClaimVerdict>& verdicts);

// One entry of "claims" in result.json.
Json to_json(const Claim& claim, const ClaimVerdict& verdict);
// The entries for the claims bound to this result.
Json claims_json(const ClaimsFile& claims, const Json& result);

}  // namespace missive::harness
