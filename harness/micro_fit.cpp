#include "harness/micro_fit.h"

#include <algorithm>
#include <ctime>

#include "harness/json_source.h"
#include "models/fit.h"

namespace missive::harness {

void fit_micro(ParameterSet& out, const MicroColumns& micro, const std::vector<GroupedSample>& all,
               std::uint64_t seed) {
  std::vector<std::string> columns, units;
  const auto column = [&](bool used, const char* name, const char* unit) {
    if (!used) return;
    columns.emplace_back(name);
    units.emplace_back(unit);
  };
  column(micro.call, "call_s", "s");
  column(micro.byte, "byte_s", "s/byte");
  column(micro.item, "item_s", "s/item");
  std::vector<Sample> samples;
  for (const auto& [s, group] : all) {
    if (s.micro != micro.name) continue;
    Sample sample;
    if (micro.call) sample.x.push_back(static_cast<double>(s.calls));
    if (micro.byte) sample.x.push_back(static_cast<double>(s.bytes));
    if (micro.item) sample.x.push_back(static_cast<double>(s.items));
    sample.seconds = s.seconds;
    sample.group = group;
    samples.push_back(std::move(sample));
  }
  if (samples.empty()) return;
  const Fit result = fit(samples, columns, seed);
  for (std::size_t i = 0; i < columns.size(); ++i) {
    Parameter p;
    p.value = result.coefficients[i];
    p.low = std::min(result.low[i], p.value);
    p.high = std::max(result.high[i], p.value);
    p.unit = units[i];
    p.provenance = Provenance::measured;
    p.source = "micro-measurement " + micro.name + ": " + micro.what +
               (result.identified[i] ? "" : " (not separated from the other terms)");
    p.date = today();
    out.set(micro.name + "." + columns[i], p);
  }
}

std::string encode_samples(const std::vector<measure::MicroSample>& samples) {
  Json out = Json::array();
  for (const auto& s : samples) out.push_back({s.micro, s.calls, s.bytes, s.items, s.seconds});
  return out.dump();
}

std::vector<measure::MicroSample> decode_samples(const std::string& text) {
  std::vector<measure::MicroSample> samples;
  for (const auto& j : Json::parse(text)) samples.push_back({j[0], j[1], j[2], j[3], j[4]});
  return samples;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::strftime(text, sizeof text, "%Y-%m-%d", &utc);
  return text;
}

}  // namespace missive::harness
