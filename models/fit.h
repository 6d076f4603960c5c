#pragma once
// Calibration: coefficients of a cost model from timed samples of its micro-measurement.
//
//   seconds = sum over columns of coefficient * x,   every coefficient >= 0
//
// with columns chosen by the caller: calls, bytes, items, or bytes split at cache sizes (hinge()).
//
// Method, and why:
//   1. Samples of one design point (same x) and one group (process) become their median: a stray
//      sample in a process is worth nothing.
//   2. Rows are scaled by one over the design point's median over all groups, so that relative
//      errors are minimised: times span many orders of magnitude, and the largest must not decide
//      alone. Scaling by each row's own time instead would favour the fast rows.
//   3. Non-negative least squares by active sets (C. L. Lawson and R. J. Hanson, "Solving Least
//      Squares Problems", Prentice-Hall 1974, chapter 23): a cost cannot be negative.
//   4. Repeated with Huber's weights (P. J. Huber, "Robust estimation of a location parameter",
//      Annals of Mathematical Statistics 35, 1964; tuning constant 1.345, scale from the median
//      absolute residual): a process that was disturbed as a whole pulls little.
//   5. Interval: the whole fit again on groups drawn with replacement; 2.5 and 97.5 % quantiles.
//
// Identifiability: the singular values of the scaled design with columns of length 1. A direction
// with a singular value below 1/1000 of the largest is not determined by the data, and every column
// that takes part in it is marked: its value may be anything, whatever the interval says.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace missive {

struct Sample {
  std::vector<double> x;  // one value for each column, not negative
  double seconds = 0;     // above zero
  int group = 0;          // process it was measured in
};

// Levels of Fit::residual_quantiles.
inline constexpr std::array kResidualLevels{0.05, 0.25, 0.5, 0.75, 0.95};

struct Fit {
  std::vector<double> coefficients;
  std::vector<double> low, high;  // 95 %; both equal the coefficient when there is one group only
  std::vector<bool> identified;
  double condition = 0;  // of the scaled design; infinite when a column is zero throughout
  // Of all samples, as they came: measured / fitted - 1. Noise, and what the equation leaves out.
  double median_abs_relative_residual = 0;
  std::array<double, kResidualLevels.size()> residual_quantiles{};
  std::size_t design_points = 0, groups = 0;

  double predict(const std::vector<double>& x) const;
};

struct FitOptions {
  int draws = 400;  // of the bootstrap
};

// Throws InputError, naming `columns` where that helps: no columns, fewer different design points
// than columns, a sample with another number of values than there are columns, or a value that is
// not finite or out of range.
Fit fit(const std::vector<Sample>& samples, const std::vector<std::string>& columns,
        std::uint64_t seed, const FitOptions& options = {});

// Splits `bytes` at ascending breakpoints: {bytes up to the first, from there to the second, ...,
// beyond the last}. Used as columns, each part gets a cost per byte of its own and the whole stays
// continuous. Throws std::invalid_argument for breakpoints that do not ascend from above zero.
std::vector<double> hinge(double bytes, const std::vector<double>& breakpoints);

}  // namespace missive
