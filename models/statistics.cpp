#include "models/statistics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include "models/random.h"

namespace missive {

namespace {

constexpr double kLowTail = 0.025, kHighTail = 0.975;

// Binomial tails further out than this many roots of n are below 1e-80.
constexpr double kFarTail = 10;
// Streams of the random numbers, one for each use.
constexpr std::uint64_t kMedianStream = 1, kRatioStream = 2, kSplitStream = 3;

void require_finite(const std::vector<double>& values) {
  if (values.empty()) throw std::invalid_argument("statistics of no values");
  for (double v : values)
    if (!std::isfinite(v)) throw std::invalid_argument("statistics of a value that is not finite");
}

// Of ascending values.
double quantile_of_sorted(const std::vector<double>& sorted, double p) {
  const double position = p * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double share = position - static_cast<double>(below);
  return sorted[below] + share * (sorted[above] - sorted[below]);
}

std::vector<double> flat(const Groups& groups) {
  std::vector<double> values;
  for (const auto& group : groups) values.insert(values.end(), group.begin(), group.end());
  return values;
}

Groups without_empty(const Groups& groups) {
  Groups result;
  std::copy_if(groups.begin(), groups.end(), std::back_inserter(result),
               [](const auto& group) { return !group.empty(); });
  return result;
}

// One side of a bootstrap. A draw counts how often it takes each group; its median is found by
// walking the values, which are sorted once, until half of the drawn ones are passed.
class Redraws {
 public:
  explicit Redraws(const Groups& units) : counts_(units.size()) {
    for (std::size_t g = 0; g < units.size(); ++g) {
      sizes_.push_back(units[g].size());
      for (double v : units[g]) values_.push_back({v, g});
    }
    std::sort(values_.begin(), values_.end(),
              [](const Value& a, const Value& b) { return a.value < b.value; });
  }

  double median(Random& random) {
    std::fill(counts_.begin(), counts_.end(), 0);
    std::size_t drawn = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      const auto g = static_cast<std::size_t>(random.below(counts_.size()));
      ++counts_[g];
      drawn += sizes_[g];
    }
    const std::size_t below = (drawn - 1) / 2, above = drawn / 2;
    std::size_t seen = 0;
    auto at = values_.begin();
    const auto pass = [&](std::size_t rank) {
      while (seen <= rank) seen += counts_[at++->group];
      return std::prev(at)->value;
    };
    const double low = pass(below), high = pass(above);
    return low + (above > below ? 0.5 : 0) * (high - low);
  }

 private:
  struct Value {
    double value;
    std::size_t group;
  };
  std::vector<Value> values_;  // ascending
  std::vector<std::size_t> sizes_, counts_;
};

// So many values, none in the company of others of its process, that their order statistics say
// what a bootstrap would.
bool are_many_alone(const Groups& units) {
  return units.size() > kManyValues &&
         std::all_of(units.begin(), units.end(), [](const auto& g) { return g.size() == 1; });
}

void set_interval(Estimate& estimate, std::vector<double> draws) {
  std::sort(draws.begin(), draws.end());
  estimate.low = quantile_of_sorted(draws, kLowTail);
  estimate.high = quantile_of_sorted(draws, kHighTail);
}

// From the intervals of two independent medians that of their ratio: on the logarithms the
// distances to the limits add like the sides of a right triangle (statistics.h).
void set_ratio_interval(Estimate& ratio, const Estimate& a, const Estimate& b) {
  const auto distance = [](double x, double y) { return std::log(x) - std::log(y); };
  ratio.low =
      ratio.value * std::exp(-std::hypot(distance(a.value, a.low), distance(b.high, b.value)));
  ratio.high =
      ratio.value * std::exp(std::hypot(distance(a.high, a.value), distance(b.value, b.low)));
}

double half_distance(const Groups& units, const std::vector<std::size_t>& order) {
  const std::size_t half = order.size() / 2;
  std::vector<double> one, other;
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::vector<double>& side = i < half ? one : other;
    side.insert(side.end(), units[order[i]].begin(), units[order[i]].end());
  }
  return std::abs(median(std::move(one)) - median(std::move(other)));
}

}  // namespace

double quantile(std::vector<double> values, double p) {
  require_finite(values);
  if (!(p >= 0 && p <= 1)) throw std::invalid_argument("a quantile needs 0 <= p <= 1");
  std::sort(values.begin(), values.end());
  return quantile_of_sorted(values, p);
}

double median(std::vector<double> values) {
  require_finite(values);
  const std::size_t below = (values.size() - 1) / 2;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return *middle + 0.5 * (*std::min_element(middle + 1, values.end()) - *middle);
}

double median_absolute_deviation(const std::vector<double>& values) {
  const double middle = median(values);
  std::vector<double> distances;
  distances.reserve(values.size());
  for (double v : values) distances.push_back(std::abs(v - middle));
  return median(std::move(distances));
}

Estimate median_by_order(std::vector<double> values) {
  require_finite(values);
  std::sort(values.begin(), values.end());
  const std::size_t n = values.size();
  // Largest k with P(fewer than k values below the median) <= 2.5 %: then [x_k, x_(n+1-k)], counted
  // from 1, covers. log of binomial(n, i) / 2^n keeps large n in range.
  double tail = 0;
  std::size_t k = 0;
  const double nn = static_cast<double>(n), first = nn / 2 - kFarTail * std::sqrt(nn);
  for (auto i = static_cast<std::size_t>(std::max(0.0, first)); i < n; ++i) {
    const double ii = static_cast<double>(i);
    tail += std::exp(std::lgamma(nn + 1) - std::lgamma(ii + 1) - std::lgamma(nn - ii + 1) -
                     nn * std::log(2.0));
    if (tail > kLowTail) break;
    k = i + 1;
  }
  const std::size_t lower = k == 0 ? 0 : k - 1;
  return {quantile_of_sorted(values, 0.5), values[lower], values[n - 1 - lower], n};
}

Estimate median_by_group(const Groups& groups, std::uint64_t seed, int draws) {
  const std::vector<double> all = flat(groups);
  require_finite(all);
  const Groups units = without_empty(groups);
  if (units.size() < 2 || are_many_alone(units)) return median_by_order(all);
  Estimate estimate{median(all), 0, 0, all.size()};
  Random random(seed, kMedianStream);
  Redraws redraws(units);
  std::vector<double> medians;
  for (int i = 0; i < draws; ++i) medians.push_back(redraws.median(random));
  set_interval(estimate, std::move(medians));
  return estimate;
}

Estimate ratio_by_group(const Groups& a, const Groups& b, std::uint64_t seed, int draws) {
  const std::vector<double> over = flat(a), under = flat(b);
  require_finite(over);
  require_finite(under);
  const auto divide = [](double x, double y) {
    if (!(y > 0)) throw std::domain_error("a ratio needs a positive median below the line");
    return x / y;
  };
  const Groups units_a = without_empty(a), units_b = without_empty(b);
  Estimate estimate{divide(median(over), median(under)), 0, 0, over.size() + under.size()};
  if (are_many_alone(units_a) || are_many_alone(units_b)) {
    const Estimate top = median_by_group(a, seed, draws), bottom = median_by_group(b, seed, draws);
    divide(top.low, bottom.low);  // an interval that reaches zero bounds no ratio
    if (top.low > 0) {
      set_ratio_interval(estimate, top, bottom);
      return estimate;
    }
  }
  Random random(seed, kRatioStream);
  Redraws over_again(units_a), under_again(units_b);
  std::vector<double> ratios;
  for (int i = 0; i < draws; ++i) {
    const double top = over_again.median(random);
    ratios.push_back(divide(top, under_again.median(random)));
  }
  set_interval(estimate, std::move(ratios));
  return estimate;
}

double noise_floor(const Groups& groups, std::uint64_t seed, int splits) {
  const std::vector<double> all = flat(groups);
  require_finite(all);
  if (all.size() < 2) throw std::invalid_argument("a noise floor needs at least two values");
  if (splits < 1) throw std::invalid_argument("a noise floor needs at least one split");
  const double middle = median(all);
  if (!(middle > 0)) throw std::domain_error("a noise floor needs a positive median");
  Groups units = without_empty(groups);
  if (units.size() < 4) {
    units.clear();
    for (double v : all) units.push_back({v});
  }
  std::vector<std::size_t> order(units.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  Random random(seed, kSplitStream);
  double sum = 0;
  for (int i = 0; i < splits; ++i) {
    random.shuffle(order);
    sum += half_distance(units, order) / middle;
  }
  return sum / splits;
}

Line least_squares(const std::vector<double>& x, const std::vector<double>& y) {
  require_finite(x);
  require_finite(y);
  if (x.size() != y.size()) throw std::invalid_argument("least squares of unequal lengths");
  const double n = static_cast<double>(x.size());
  double mean_x = 0, mean_y = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    mean_x += x[i] / n;
    mean_y += y[i] / n;
  }
  double xx = 0, xy = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mean_x) * (x[i] - mean_x);
    xy += (x[i] - mean_x) * (y[i] - mean_y);
  }
  const double slope = xx > 0 ? xy / xx : 0;
  return {mean_y - slope * mean_x, slope};
}

std::vector<double> leave_one_out(const std::vector<double>& x, const std::vector<double>& y) {
  if (x.size() < 2) throw std::invalid_argument("leaving one out needs at least two points");
  std::vector<double> predictions;
  for (std::size_t i = 0; i < x.size(); ++i) {
    std::vector<double> others_x = x, others_y = y;
    others_x.erase(others_x.begin() + static_cast<std::ptrdiff_t>(i));
    if (i < others_y.size()) others_y.erase(others_y.begin() + static_cast<std::ptrdiff_t>(i));
    predictions.push_back(least_squares(others_x, others_y).at(x[i]));
  }
  return predictions;
}

}  // namespace missive
