#pragma once
// For tests: an experiment's worth of made-up launches with known answers.

#include "harness/compare_metrics.h"
#include "harness/experiment.h"
#include "harness/test_support.h"

namespace missive::harness {

inline Experiment small_experiment(const std::string& extra = "") {
  use_source_data();
  return make_experiment(JsonSource::parse(
      R"({"format": "missive-sim/experiment/1", "name": "t", "kind": "launch", "application": "python3",
          "warm_with": "python3", "sweep": {"/temperature": ["cold", "hot"], "/verifier": ["sha256", "mac"]})" +
          extra + "}",
      "t.json"));
}

inline Record record(const std::string& step, Phase phase, Place place, double from, double to) {
  return {step, phase, place, from_seconds(from), from_seconds(to), {}};
}

// Four launches in two processes around `verify` and `boot` seconds; the simulation is `error` off.
inline PointData made_up_point(std::size_t index, double verify, double boot, double error,
                               std::uint64_t bytes) {
  PointData data;
  data.point = index;
  Amounts amounts;
  amounts[Amount::bytes_hashed] = bytes;
  const double total = verify + boot;
  data.simulated = {{"verify", verify * (1 + error)},
                    {"boot", boot * (1 + error)},
                    {kTotal, total * (1 + error)},
                    {kNativeTwin, boot / 2}};
  data.simulated_only = {{"total_over_link", total * 3}};
  data.simulated_amounts = amounts;
  data.parameters = {"sha256_tree.byte_s"};
  data.simulated_records = {record("verify", Phase::verify, Place::launcher, 0, verify),
                            record("boot", Phase::boot, Place::application, verify, total)};
  int i = 0;
  for (const double scale : {0.99, 1.0, 1.0, 1.01}) {
    data.launches.push_back(
        {i / 2,
         {{"verify", verify * scale}, {"boot", boot * scale}, {kTotal, total * scale}},
         amounts});
    data.launch_records.push_back(
        {record("verify", Phase::verify, Place::launcher, 0, verify * scale),
         record("boot", Phase::boot, Place::application, verify * scale, total * scale)});
    data.native.push_back({i / 2, {{kNativeTwin, boot / 2 * scale}}, std::nullopt});
    ++i;
  }
  return data;
}

inline ParameterSet made_up_parameters(Provenance provenance = Provenance::measured) {
  ParameterSet set;
  set.set("sha256_tree.byte_s", {1e-9, "s/B", provenance, "test", 1e-9, 1e-9, "2020-01-01"});
  return set;
}

inline Result made_up_result(const Experiment& e, double error = 0.05) {
  Result result = empty_result(e);
  std::vector<PointData> data;
  for (std::size_t i = 0; i < e.points.size(); ++i)
    data.push_back(
        made_up_point(i, 0.010 * static_cast<double>(i + 1), 0.2, error, 1'000'000 * (i + 1)));
  compare(e, data, made_up_parameters(), result);
  return result;
}

}  // namespace missive::harness
