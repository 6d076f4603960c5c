#include "harness/claim_judge.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "models/error.h"

namespace missive::harness {

namespace {

struct Limits {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool holds(double value) const { return value >= low && value <= high; }
};

Limits limits_of(const Claim& c) {
  if (c.kind == ClaimKind::exact) {
    const double to = c.equals.value_or(1);
    const double margin = c.within * std::abs(to);
    return {to - margin, to + margin};
  }
  if (c.kind == ClaimKind::equivalent) return {1 - c.within, 1 + c.within};
  if (c.kind == ClaimKind::order)  // ascending: equal neighbours are no order
    return {c.low.value_or(std::nextafter(1.0, 2.0)), std::numeric_limits<double>::infinity()};
  Limits limits;
  limits.low = c.low.value_or(limits.low);
  limits.high = c.high.value_or(limits.high);
  return limits;
}

// About how many more repetitions bring the limit that the interval spans outside it.
std::string repetitions_needed(const ClaimNumber& number, const Limits& limits) {
  constexpr double kTooMany = 1e5;
  double factor = 1;
  for (const double limit : {limits.low, limits.high}) {
    if (!std::isfinite(limit) || limit <= number.low || limit > number.high) continue;
    const double half =
        limit > number.value ? number.high - number.value : number.value - number.low;
    const double distance = std::abs(limit - number.value);
    if (distance <= 0) return "the number is the limit itself; no repetitions would tell";
    factor = std::max(factor, (half / distance) * (half / distance));
  }
  const double more = std::ceil(static_cast<double>(number.n) * (factor - 1) - 1e-6);
  if (more > kTooMany) return "the number is next to the limit; no repetitions would tell";
  return fmt::format("about {:.0f} more repetitions would tell", std::max(more, 1.0));
}

struct Decision {
  Verdict verdict = Verdict::not_run;
  std::string why;
};

Decision decide(const Claim& claim, const ClaimNumber& number, const Limits& limits) {
  const auto text = [&](double value) { return claim_number(claim, value); };
  if (!number.exact && number.n < 2)
    return {Verdict::inconclusive, "a single value has no interval; use --repetitions 3 or more"};
  if (limits.holds(number.low) && limits.holds(number.high)) return {Verdict::reproduced, ""};
  if (claim.kind == ClaimKind::exact && number.exact)
    return {Verdict::not_reproduced,
            fmt::format("{:.12g} instead of {:.12g}", number.value, claim.equals.value_or(1))};
  if (number.high < limits.low || number.low > limits.high)
    return {Verdict::not_reproduced,
            fmt::format("{} is {} what is expected ({})", text(number.value),
                        number.high < limits.low ? "below" : "above", expectation(claim))};
  return {Verdict::inconclusive,
          fmt::format("the interval {} to {} spans a limit ({}); {}", text(number.low),
                      text(number.high), expectation(claim), repetitions_needed(number, limits))};
}

// A machine that disagrees with itself by more than the limit cannot tell a prediction from a
// guess.
std::optional<Decision> noise_above(const Claim& claim, const Json& result) {
  if (claim.noise.empty() || !claim.high) return std::nullopt;
  const Json noise = result.at("summary").value(claim.noise, Json());
  if (!noise.is_number() || noise.get<double>() <= *claim.high) return std::nullopt;
  return Decision{Verdict::inconclusive,
                  fmt::format("the machine disagrees with itself by {}, more than is allowed ({}); "
                              "run it while nothing else runs",
                              claim_number(claim, noise.get<double>()), expectation(claim))};
}

std::string missing_mechanism(const Claim& claim, const Json& result) {
  const auto context = result.find("context");
  if (context == result.end() || !context->contains("mechanisms")) return {};
  const Json& mechanisms = (*context)["mechanisms"];
  for (const std::string& name : claim.needs)
    if (const auto found = mechanisms.find(name); found != mechanisms.end() && found->is_string())
      return fmt::format("{} is not available here: {}", name, found->get<std::string>());
  return {};
}

std::string processor(const Json& result) {
  if (!result.is_object() || !result.contains("context")) return "unknown";
  const Json cpu = result["context"].value("cpu", Json());
  return cpu.is_string() ? cpu.get<std::string>() : "unknown";
}

std::string experiment_name(const Json& result) {
  return result.is_null() ? "" : result["experiment"]["name"].get<std::string>();
}

void check_result(const Json& result) {
  if (result.is_null()) return;
  if (!result.is_object() || result.value("schema", Json()) != "missive-sim/result/1" ||
      !result.contains("points") || !result["points"].is_array() ||
      !result.contains("experiment") || !result["experiment"].is_object() ||
      !result["experiment"].contains("name") || !result["experiment"]["name"].is_string())
    throw InputError(
        "the result is not of the schema missive-sim/result/1; make it again with this program");
}

// Reaching a bound the run set itself says nothing about what lies beyond.
bool is_open(const Claim& claim, const ClaimNumber& number, const Json& result) {
  if (claim.open_at.empty() || claim.values.empty()) return false;
  const auto bound = point_parameter(claim.values[0].terms[0], claim.open_at, result);
  return bound && number.value >= *bound && claim.low && number.value < *claim.low;
}

ClaimVerdict judge_numbers(const Claim& claim, const Json& result) {
  ClaimVerdict v;
  v.id = claim.id;
  const Evaluated measured = evaluate(claim, World::measured, result);
  const Evaluated simulated = evaluate(claim, World::simulated, result);
  v.measured = measured.number;
  v.simulated = simulated.number;
  const Limits limits = limits_of(claim);
  if (v.simulated) v.simulated_holds = limits.holds(v.simulated->value);
  const Evaluated& decisive = claim.decides == World::measured ? measured : simulated;
  if (!decisive.number) {
    const std::string missing = missing_mechanism(claim, result);
    v.why = missing.empty() ? decisive.why_not : missing;
    return v;
  }
  if (is_open(claim, *decisive.number, result)) {
    v.why = fmt::format("all {:.0f} that were asked for are there; how many more could be is open",
                        decisive.number->value);
    return v;
  }
  v.decides = true;
  if (claim.tier == Tier::absolute) {
    const std::string cpu = processor(result);
    if (!claim.hardware.empty() && cpu.find(claim.hardware) == std::string::npos) {
      v.decides = false;
      v.why = fmt::format("an absolute figure of a {}; on this {} it is {}", claim.hardware, cpu,
                          claim_number(claim, decisive.number->value));
      return v;
    }
    v.decides = !claim.hardware.empty();
  }
  const Decision decision =
      noise_above(claim, result).value_or(decide(claim, *decisive.number, limits));
  v.verdict = decision.verdict;
  v.why = decision.why;
  return v;
}

Json to_json(const std::optional<ClaimNumber>& number) {
  if (!number || !std::isfinite(number->value)) return nullptr;
  return Json{{"median", number->value},
              {"ci95", Json::array({number->low, number->high})},
              {"n", number->n},
              {"exact", number->exact}};
}

Json optional_number(const std::optional<double>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace

std::string to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::reproduced:
      return "reproduced";
    case Verdict::not_reproduced:
      return "not reproduced";
    case Verdict::inconclusive:
      return "inconclusive";
    case Verdict::not_run:
      return "not run here";
    case Verdict::not_supported:
      return "not supported";
  }
  return "?";
}

ClaimVerdict judge(const Claim& claim, const Json& result) {
  check_result(result);
  ClaimVerdict v;
  v.id = claim.id;
  if (!claim.not_supported.empty()) {
    v.verdict = Verdict::not_supported;
    v.why = claim.not_supported;
    return v;
  }
  if (!claim.not_run.empty()) {
    v.why = claim.not_run;
    return v;
  }
  if (!claim.experiment.empty() && claim.experiment != experiment_name(result)) {
    v.why = fmt::format("experiment '{}' was not run", claim.experiment);
    return v;
  }
  return judge_numbers(claim, result);
}

std::vector<ClaimVerdict> judge_all(const ClaimsFile& claims, const Json& result) {
  check_result(result);
  std::vector<ClaimVerdict> verdicts;
  for (const Claim& claim : claims.claims)
    if (claim.judged() && !claim.experiment.empty() && claim.experiment == experiment_name(result))
      verdicts.push_back(judge(claim, result));
  return verdicts;
}

bool any_broken(const std::vector<ClaimVerdict>& verdicts) {
  return std::any_of(verdicts.begin(), verdicts.end(), [](const ClaimVerdict& v) {
    return v.decides && v.verdict == Verdict::not_reproduced;
  });
}

Json to_json(const Claim& claim, const ClaimVerdict& v) {
  Json json = Json::object();
  json["id"] = claim.id;
  json["statement"] = claim.statement;
  json["from"] = claim.from;
  json["reference"] = Json{{"source", claim.source},
                           {"published", claim.published.empty() ? Json() : Json(claim.published)},
                           {"expected", expectation(claim)},
                           {"low", optional_number(claim.low)},
                           {"high", optional_number(claim.high)},
                           {"equals", optional_number(claim.equals)}};
  json["tier"] = to_string(claim.tier);
  json["kind"] = claim.judged() ? Json(to_string(claim.kind)) : Json();
  json["unit"] = claim.unit;
  json["judged"] = claim.judged() ? Json(to_string(claim.decides)) : Json();
  json["simulated"] =
      v.simulated && std::isfinite(v.simulated->value) ? Json(v.simulated->value) : Json();
  json["measured"] = to_json(v.measured);
  json["simulated_holds"] = v.simulated_holds ? Json(*v.simulated_holds) : Json();
  json["verdict"] = to_string(v.verdict);
  json["decides"] = v.decides;
  json["why"] = v.why.empty() ? Json() : Json(v.why);
  return json;
}

Json claims_json(const ClaimsFile& claims, const Json& result) {
  Json all = Json::array();
  for (const ClaimVerdict& v : judge_all(claims, result))
    for (const Claim& claim : claims.claims)
      if (claim.id == v.id) all.push_back(to_json(claim, v));
  return all;
}

}  // namespace missive::harness
