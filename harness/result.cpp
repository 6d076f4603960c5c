#include "harness/result.h"

#include <algorithm>
#include <cmath>

#include "models/statistics.h"

namespace missive::harness {
namespace {

Json number(std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return nullptr;
  return *value;
}

Json boolean(std::optional<bool> value) { return value ? Json(*value) : Json(nullptr); }

Json to_json(const Metric& m) {
  Json json = Json::object();
  json["name"] = m.name;
  json["phase"] = m.phase;
  json["unit"] = m.unit;
  json["simulated"] = number(m.simulated);
  json["measured"] = nullptr;
  if (m.measured)
    json["measured"] =
        Json{{"median", number(m.measured->median)},
             {"ci95", Json::array({number(m.measured->low), number(m.measured->high)})},
             {"n", m.measured->n},
             {"noise_floor", number(m.measured->noise_floor)}};
  json["relative_error"] = number(m.relative_error);
  json["within_tolerance"] = boolean(m.within_tolerance);
  json["provenance"] = m.provenance.empty() ? Json(nullptr) : Json(m.provenance);
  json["baseline_relative_error"] = number(m.baseline_relative_error);
  json["note"] = m.note.empty() ? Json(nullptr) : Json(m.note);
  json["simulated_interval"] = nullptr;
  if (m.simulated_interval)
    json["simulated_interval"] =
        Json::array({number(m.simulated_interval->first), number(m.simulated_interval->second)});
  return json;
}

Json timeline(const std::vector<Record>& records) {
  Json json = Json::array();
  for (const Record& record : records)
    json.push_back(Json{{"step", record.step},
                        {"phase", to_string(record.phase)},
                        {"place", to_string(record.place)},
                        {"start", to_seconds(record.start)},
                        {"end", to_seconds(record.end)}});
  return json;
}

Json to_json(const Summary& s) {
  Json json = Json::object();
  json["compared"] = s.compared;
  json["amounts_equal"] = boolean(s.amounts_equal);
  json["amount_differences"] = s.amount_differences;
  json["median_abs_relative_error"] = number(s.median_abs_relative_error);
  json["p90_abs_relative_error"] = number(s.p90_abs_relative_error);
  json["max_abs_relative_error"] = number(s.max_abs_relative_error);
  json["baseline_median_abs_relative_error"] = number(s.baseline_median_abs_relative_error);
  json["total_median_abs_relative_error"] = number(s.total_median_abs_relative_error);
  json["total_noise_floor"] = number(s.total_noise_floor);
  json["within_tolerance"] = boolean(s.within_tolerance);
  json["not_available"] = s.not_available;
  json["failures"] = s.failures;
  json["interrupted"] = s.interrupted;
  return json;
}

}  // namespace

void summarise_errors(const std::vector<double>& errors, Summary& summary) {
  summary.compared = errors.size();
  if (errors.empty()) return;
  summary.median_abs_relative_error = median(errors);
  summary.p90_abs_relative_error = quantile(errors, 0.9);
  summary.max_abs_relative_error = *std::max_element(errors.begin(), errors.end());
}

Result empty_result(const Experiment& experiment) {
  Result result;
  result.name = experiment.name;
  result.sha256 = experiment.sha256;
  result.seed = experiment.seed;
  result.kind = experiment.kind;
  result.description = experiment.description;
  result.effective = experiment.effective;
  for (const ExperimentPoint& point : experiment.grid)
    result.points.push_back({point.id, point.label, point.parameters, {}, {}, {}});
  return result;
}

Json to_json(const Result& result) {
  Json json = Json::object();
  json["schema"] = "missive-sim/result/1";
  json["experiment"] = Json{
      {"name", result.name}, {"sha256", result.sha256},           {"seed", result.seed},
      {"kind", result.kind}, {"description", result.description}, {"effective", result.effective}};
  json["context"] = result.context;
  json["points"] = Json::array();
  for (const PointResult& point : result.points) {
    Json metrics = Json::array();
    for (const Metric& metric : point.metrics) metrics.push_back(to_json(metric));
    json["points"].push_back(
        Json{{"id", point.id},
             {"label", point.label},
             {"parameters", point.parameters},
             {"metrics", std::move(metrics)},
             {"timeline", Json{{"simulated", timeline(point.simulated_records)},
                               {"measured", timeline(point.measured_records)}}}});
  }
  json["summary"] = to_json(result.summary);
  json["claims"] = result.claims;
  json["parameters_used"] = Json(result.parameters_used.to_json().at("parameters"));
  return json;
}

ExitStatus exit_status(const Result& result, const Experiment& experiment) {
  const Summary& s = result.summary;
  if (s.interrupted) return ExitStatus::interrupted;
  if (!s.failures.empty()) return ExitStatus::run_failed;
  if (s.amounts_equal == false || s.within_tolerance == false) return ExitStatus::claim_failed;
  for (const Json& claim : result.claims)
    if (claim.at("decides") == true && claim.at("verdict") == "not reproduced")
      return ExitStatus::claim_failed;
  bool any_measured = false;
  for (const PointResult& point : result.points)
    for (const Metric& metric : point.metrics) any_measured |= metric.measured.has_value();
  const bool real_wanted = experiment.require_real || experiment.backend == Backend::real;
  if (real_wanted && (!any_measured || !s.not_available.empty())) return ExitStatus::not_available;
  return ExitStatus::ok;
}

}  // namespace missive::harness
