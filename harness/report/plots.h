#pragma once
// The plots of a report as Vega-Lite 6 specifications, data inline. Colours are names that the
// page's style sheet resolves ("@simulated"); marks differ in shape as well as in colour: a
// simulated value is a diamond, a measured one a circle.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "harness/answer.h"
#include "harness/json_source.h"

namespace missive::harness {

// Where a phase lies in a launch, in seconds from its start. No end where that world has no such
// phase.
struct WaterfallRow {
  std::string phase, world;  // world: "simulated" or "measured"
  double start = 0, end = 0;
  std::string text;   // beside the bar: "305 ms (57 %)"
  bool part = false;  // "boot.start": lies within the phase of that name
};
Json waterfall_plot(const std::vector<WaterfallRow>& rows, double longest);

struct ScatterRow {
  std::string point, metric, phase, unit;
  double simulated = 0, measured = 0, low = 0, high = 0;  // all positive
  bool within = false;
  std::string text;  // tooltip
};
// Log axes, the identity line, and around it the band in which the machine disagrees with itself:
// `noise_floor` relative.
Json scatter_plot(const std::vector<ScatterRow>& rows, double noise_floor);

struct ErrorRow {
  std::string point, phase;
  double error = 0;                // relative
  std::optional<double> baseline;  // of the dumb predictor
  bool within = false;
};
// `allowed`: the tolerance by phase, drawn as two ticks in its row.
inline constexpr double kWidestError = 1.5;
using Tolerances = std::map<std::string, double>;
// How far the axis of the plot reaches to both sides: to the largest error and tolerance, at most
// to kWidestError. What lies beyond, of the dumb predictor too, is drawn at the edge.
double error_reach(const std::vector<ErrorRow>& rows, const Tolerances& allowed);
Json error_plot(const std::vector<ErrorRow>& rows, const Tolerances& allowed);

// What is known of one metric at one point. `values` is what is drawn of the observations: all of
// them, or quantiles where they are many.
struct DistributionRow {
  std::string label;
  std::vector<double> values;
  std::size_t n = 0;
  std::optional<double> median, low, high;  // 95 % interval of the median
  std::optional<double> lower_quartile, upper_quartile;
  std::optional<double> simulated;
};
Json distribution_plot(const std::vector<DistributionRow>& rows, const std::string& unit);

// Empirical distribution functions of `values`, one line each.
Json cdf_plot(const std::vector<DistributionRow>& rows, const std::string& unit);

// What a kind of experiment answers with.
Json answer_plot(const AnswerPlot& plot);

// At most `most` values that have the distribution of `values`: themselves, or evenly spaced
// quantiles with both ends.
std::vector<double> thinned(std::vector<double> values, std::size_t most);

}  // namespace missive::harness
