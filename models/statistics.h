#pragma once
// Robust statistics of repeated measurements.
//
// A measured time comes from several processes ("groups"), each with several repetitions.
// Repetitions inside a process resemble each other more than processes do, so intervals are
// bootstrapped over processes: whole groups are drawn again, never single values (Kalibera and
// Jones, "Rigorous benchmarking in reasonable time", ISMM 2013). Random draws come from
// models/random.h, so the same input and seed give the same interval.
//
// Every function throws std::invalid_argument for an empty input or a value that is not finite.

#include <cstdint>
#include <vector>

namespace missive {

using Groups = std::vector<std::vector<double>>;

double median(std::vector<double> values);

// Quantile of type 7 in Hyndman and Fan, "Sample quantiles in statistical packages", The American
// Statistician 50 (1996): linear between the order statistics, the default of R and NumPy.
double quantile(std::vector<double> values, double p);

// Median absolute deviation from the median, not scaled.
double median_absolute_deviation(const std::vector<double>& values);

struct Estimate {
  double value = 0;
  double low = 0, high = 0;  // 95 % interval
  std::size_t n = 0;         // values it rests on
};

// Median with the narrowest symmetric pair of order statistics that covers it with 95 % probability
// whatever the distribution (binomial, n and 1/2). Below six values no pair does: the interval is
// then the range, which is all that is known. For independent values.
Estimate median_by_order(std::vector<double> values);

// Above so many groups of one value each, order statistics take the place of the bootstrap: both
// say the same there, to a few hundredths of the interval, and sorting once is all they need.
inline constexpr std::size_t kManyValues = 2000;

// Median of all values, bootstrap interval over groups. With one group there is nothing to draw
// again: the interval is then that of median_by_order, too narrow by what differs between
// processes. With more than kManyValues values, each a group of its own, it is that as well.
Estimate median_by_group(const Groups& groups, std::uint64_t seed, int draws = 2000);

// median(a) / median(b); both sides are drawn again, independently. Where one side has more than
// kManyValues values, each a group of its own, the interval comes from those of the two medians
// (MOVER on logarithms: G. Y. Zou and A. Donner, "Construction of confidence limits about effect
// measures: a general approach", Statistics in Medicine 27, 2008). Throws std::domain_error when a
// median of b is not positive.
Estimate ratio_by_group(const Groups& a, const Groups& b, std::uint64_t seed, int draws = 2000);

// How far the machine disagrees with itself: |median(one half) - median(other half)| over the
// median of all, averaged over `splits` random halvings. Groups are split when there are at least
// four of them, single values otherwise. No error below it is skill. Throws std::invalid_argument
// below two values, std::domain_error when the median is not positive.
double noise_floor(const Groups& groups, std::uint64_t seed, int splits = 101);

// Ordinary least squares y = intercept + slope x; slope 0 when all x are equal.
struct Line {
  double intercept = 0, slope = 0;
  double at(double x) const { return intercept + slope * x; }
};
Line least_squares(const std::vector<double>& x, const std::vector<double>& y);

// For each point the prediction of the line through all others: the baseline predictor that a
// simulation has to beat. At least two points.
std::vector<double> leave_one_out(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace missive
