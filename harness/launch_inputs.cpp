#include "harness/launch_inputs.h"

#include <fmt/format.h>

#include "harness/micro_fit.h"
#include "models/statistics.h"

namespace missive::harness {

std::string native_ready_name(const std::string& application) {
  return "application." + application + ".native_ready_s";
}

Parameter native_ready_of(const std::string& application, const std::vector<double>& seconds) {
  const Estimate estimate = median_by_order(seconds);
  Parameter p;
  p.value = estimate.value;
  p.low = estimate.low;
  p.high = estimate.high;
  p.unit = "s";
  p.provenance = Provenance::measured;
  p.source = fmt::format(
      "native twin of {}: median of {} starts in turn with launches, each in "
      "its own process",
      application, seconds.size());
  p.date = today();
  return p;
}

void scale(ParameterSet& parameters, const std::map<std::string, double>& factors) {
  for (const auto& [name, factor] : factors) {
    if (!parameters.contains(name)) continue;
    Parameter p = parameters.at(name);
    p.value *= factor;
    p.low *= factor;
    p.high *= factor;
    p.provenance = Provenance::assumed;
    p.source =
        fmt::format("the experiment file asks what if it were {:.4g} times: {}", factor, p.source);
    parameters.set(name, p);
  }
}

void set_origin_link(ParameterSet& parameters, const LaunchPoint& p) {
  const auto add = [&](const char* name, const char* unit, double value) {
    Parameter parameter;
    parameter.value = parameter.low = parameter.high = value;
    parameter.unit = unit;
    parameter.provenance = Provenance::assumed;
    parameter.source = "the experiment file's origin_link: a scenario, not a measurement";
    parameters.set(name, parameter);
  };
  add("link.origin.latency_s", "s", to_seconds(p.origin_rtt) / 2);
  add("link.origin.bandwidth_bytes_per_s", "byte/s", p.origin_bandwidth.bytes_per_second);
}

}  // namespace missive::harness
