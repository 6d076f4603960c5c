#pragma once
// Claims: statements, each tied to the number that decides it. experiments/claims.json holds those
// of Missive and of multiPIE, a few of the literature, and the project's own; its schema is
// experiments/schema/claims.schema.json. Limits and their reasons are in that file, fixed before
// anything runs.
//
// What a claim judges is one number, made of terms:
//
//   exact        the value equals `equals`, or (no `equals`) the second value, within `within`
//   range        the value lies in [low, high]
//   ratio        the same, of a quotient
//   order        the values ascend: the least factor between neighbours is at least `low`
//   trend        the exponent of values ~ x^exponent (least squares on logarithms) in [low, high]
//   crossover    the x at which `values` and `against` meet (linear in log x), in [low, high]
//   equivalent   the quotient of two values lies in [1 - within, 1 + within]
//
// How it is judged, and what an interval does to it: harness/claim_judge.h.

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/json_source.h"

namespace missive::harness {

enum class Tier { exact, shape, absolute };  // T0, T1, T2
enum class ClaimKind { exact, range, ratio, order, trend, crossover, equivalent };
enum class World { measured, simulated };
std::string to_string(Tier tier);
std::string to_string(ClaimKind kind);
std::string to_string(World world);

// One number. Exactly one of metric, summary, model, number is given.
struct ClaimTerm {
  std::string metric;                 // "total"; "execution.slowdown.*": all that begin so
  std::map<std::string, Json> where;  // parameters of the point, with those of the claim
  std::string summary;
  std::string model;
  std::map<std::string, double> arguments;
  std::optional<double> number;
  bool count = false;
};

enum class ClaimOp { value, ratio, difference, sum, saved, geomean, slow_down, least, most };

struct ClaimValue {
  ClaimOp op = ClaimOp::value;
  std::vector<ClaimTerm> terms;
};

struct Claim {
  std::string id, from, statement, source, published, hardware, experiment, unit, open_at;
  std::string why, variation, not_run, not_supported;
  std::string noise;  // key of the summary: a noise floor above `high` makes it inconclusive
  bool headline = false;
  Tier tier = Tier::shape;
  ClaimKind kind = ClaimKind::range;
  World decides = World::measured;
  std::vector<ClaimValue> values, against;
  std::vector<double> x;
  std::optional<double> low, high, equals;
  double within = 1e-9;
  std::vector<std::string> needs;

  // Whether there is anything to judge.
  bool judged() const { return not_run.empty() && not_supported.empty(); }
};

// How `reproduce` runs an experiment in one profile.
struct ClaimRun {
  double minutes = 0;
  std::string profile;  // of the experiment file; "": the file as it is
  std::optional<int> repetitions;
  std::vector<std::string> sets;
  std::string scaled;
};

struct ClaimExperiment {
  std::string id, name, file, what;
  double human_minutes = 0;
  std::map<std::string, ClaimRun> profiles;  // "kick", "short", "full"
};

struct ClaimsFile {
  std::vector<ClaimExperiment> experiments;
  std::vector<Claim> claims;
  std::string sha256;  // of the file's bytes

  // nullptr when there is none.
  const ClaimExperiment* experiment(const std::string& name) const;
};

// Throws InputErrors with every problem: schema, unknown or repeated names, limits that are missing
// or make no sense for the kind, a reason that is not given.
ClaimsFile read_claims(const JsonSource& source);
// experiments/claims.json of data_dir().
ClaimsFile load_claims();

// "80 ms to 120 ms", "at least 3", "equal within 1e-09": what is expected, for people.
std::string expectation(const Claim& claim);
// A number in the claim's unit.
std::string claim_number(const Claim& claim, double value);

}  // namespace missive::harness
