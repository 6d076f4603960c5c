#pragma once
// What a report says in words and plots, drawn from a result alone.

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "harness/report/plots.h"
#include "harness/result.h"

namespace missive::harness {

// A launch that stands for all of its temperature: the point that has the experiment's own values.
struct ShownLaunch {
  std::string temperature;
  const PointResult* point = nullptr;
  const Metric* total = nullptr;
  std::string longest_phase;  // by the measurement where there is one
  double longest_share = 0;   // of the total
  std::string second_phase;   // the longest but one; empty when there is none
  double second_share = 0;
  bool measured = false;  // which world these come from
};

// In the order cold, warm, hot; empty when the result is not about launches, or has no times.
std::vector<ShownLaunch> shown_launches(const Result& result);

std::vector<WaterfallRow> waterfall(const ShownLaunch& launch);

// All judged metrics in seconds with both answers.
std::vector<ScatterRow> judged_pairs(const Result& result);
std::vector<ErrorRow> judged_errors(const Result& result);

// Median over the judged times, but those of whole launches: they have one of their own
// (Summary::total_noise_floor).
std::optional<double> median_noise_floor(const Result& result);

// The real observations of every metric of every point.
class ObservationIndex {
 public:
  explicit ObservationIndex(const Result& result);
  const std::vector<double>& of(const std::string& point, const std::string& metric) const;

 private:
  std::unordered_map<std::string, std::vector<double>> values_;
};

// Metrics worth a distribution of their own, most telling first: for launches the total and the
// longest phases; otherwise those of `wanted` that are there, and where they are none or not
// known, those that most points have.
std::vector<std::string> telling_metrics(const Result& result, std::size_t most,
                                         const std::vector<std::string>& wanted = {});

inline constexpr std::size_t kMostValuesDrawn = 60;  // of one metric at one point
inline constexpr std::size_t kMostPointsDrawn = 40;  // in one plot
DistributionRow distribution_of(const PointResult& point, const Metric& metric,
                                const ObservationIndex& observations);

const Metric* find_metric(const PointResult& point, const std::string& name);

// "+3.0 %", "3.0 %"; "-" for nothing.
std::string percent_text(std::optional<double> fraction, bool sign = false);
// A part of a whole: "59 %", "<1 %".
std::string share_text(double share);
// A value in its own unit: "3.05 ms", "98.2 MB", "17".
std::string value_text(std::optional<double> value, const std::string& unit);

}  // namespace missive::harness
