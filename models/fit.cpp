#include "models/fit.h"

#include <fmt/format.h>

#include <Eigen/SVD>
#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>

#include "models/error.h"
#include "models/nnls.h"
#include "models/random.h"
#include "models/statistics.h"

namespace missive {

namespace {

constexpr double kHuber = 1.345;        // 95 % efficient when the noise is normal
constexpr double kMadToSigma = 1.4826;  // of a normal distribution
constexpr int kReweightings = 20;
constexpr double kWorstCondition = 1e3;
constexpr double kTakesPart = 0.1;  // of a unit direction that the data do not determine
constexpr std::uint64_t kBootstrapStream = 11;

// The median of one group at one design point.
struct Row {
  std::size_t point;
  double seconds;
};

struct Design {
  std::vector<std::vector<double>> points;  // different x, in their first order
  std::vector<double> scale;                // seconds: median over the point's rows
  std::vector<std::vector<Row>> groups;
};

void check(const std::vector<Sample>& samples, const std::vector<std::string>& columns) {
  if (columns.empty()) throw InputError("fit: no columns; name what the time depends on");
  for (const Sample& sample : samples) {
    if (sample.x.size() != columns.size())
      throw InputError(fmt::format("fit: a sample has {} values for {} columns ({})",
                                   sample.x.size(), columns.size(), fmt::join(columns, ", ")));
    if (!std::isfinite(sample.seconds) || sample.seconds <= 0)
      throw InputError(
          fmt::format("fit: a sample took {} s; times are above zero", sample.seconds));
    for (std::size_t j = 0; j < columns.size(); ++j)
      if (!std::isfinite(sample.x[j]) || sample.x[j] < 0)
        throw InputError(fmt::format("fit: column '{}' is {}; counts are not negative", columns[j],
                                     sample.x[j]));
  }
}

Design design_of(const std::vector<Sample>& samples) {
  Design design;
  std::map<std::vector<double>, std::size_t> index;
  std::map<int, std::map<std::size_t, std::vector<double>>> times;
  for (const Sample& sample : samples) {
    const auto [found, fresh] = index.emplace(sample.x, design.points.size());
    if (fresh) design.points.push_back(sample.x);
    times[sample.group][found->second].push_back(sample.seconds);
  }
  std::vector<std::vector<double>> medians(design.points.size());
  for (const auto& [group, by_point] : times) {
    std::vector<Row>& rows = design.groups.emplace_back();
    for (const auto& [point, seconds] : by_point) {
      rows.push_back({point, median(seconds)});
      medians[point].push_back(rows.back().seconds);
    }
  }
  for (const auto& rows : medians) design.scale.push_back(median(rows));
  return design;
}

// Rows of the chosen groups, each divided by its point's scale.
struct System {
  Eigen::MatrixXd a;
  Eigen::VectorXd b;
};

System system_of(const Design& design, const std::vector<std::size_t>& chosen) {
  std::size_t rows = 0;
  for (std::size_t g : chosen) rows += design.groups[g].size();
  const auto columns = static_cast<Eigen::Index>(design.points.front().size());
  System s{Eigen::MatrixXd(static_cast<Eigen::Index>(rows), columns),
           Eigen::VectorXd(static_cast<Eigen::Index>(rows))};
  Eigen::Index i = 0;
  for (std::size_t g : chosen)
    for (const Row& row : design.groups[g]) {
      const double weight = 1 / design.scale[row.point];
      for (Eigen::Index j = 0; j < columns; ++j)
        s.a(i, j) = weight * design.points[row.point][static_cast<std::size_t>(j)];
      s.b[i++] = weight * row.seconds;
    }
  return s;
}

// Lengths of the columns, 1 where a column is zero throughout.
Eigen::VectorXd column_lengths(const Eigen::MatrixXd& a) {
  Eigen::VectorXd lengths = a.colwise().norm();
  for (double& length : lengths)
    if (length == 0) length = 1;
  return lengths;
}

// Non-negative least squares, reweighted until outliers have little say.
std::vector<double> solve(const System& s) {
  const Eigen::VectorXd lengths = column_lengths(s.a);
  const Eigen::MatrixXd a = s.a * lengths.cwiseInverse().asDiagonal();
  Eigen::VectorXd x = nnls(a, s.b);
  for (int round = 0; round < kReweightings; ++round) {
    const Eigen::VectorXd residual = (s.b - a * x).cwiseAbs();
    const double sigma =
        kMadToSigma * median(std::vector<double>(residual.begin(), residual.end()));
    if (!(sigma > 1e-12)) break;  // exact already
    const Eigen::VectorXd weight = residual.unaryExpr(
        [&](double r) { return std::sqrt(std::min(1.0, kHuber * sigma / std::max(r, 1e-300))); });
    const Eigen::VectorXd next = nnls(weight.asDiagonal() * a, weight.cwiseProduct(s.b));
    const bool settled = (next - x).norm() <= 1e-9 * x.norm();
    x = next;
    if (settled) break;
  }
  const Eigen::VectorXd coefficients = x.cwiseQuotient(lengths);
  return {coefficients.begin(), coefficients.end()};
}

void judge_identifiability(const System& s, Fit& fit) {
  const Eigen::MatrixXd a = s.a * column_lengths(s.a).cwiseInverse().asDiagonal();
  const Eigen::JacobiSVD<Eigen::MatrixXd> svd(a, Eigen::ComputeThinV);
  const Eigen::VectorXd& values = svd.singularValues();
  const double smallest = values[values.size() - 1];
  fit.condition = smallest > 0 ? values[0] / smallest : std::numeric_limits<double>::infinity();
  fit.identified.assign(static_cast<std::size_t>(a.cols()), true);
  for (Eigen::Index i = 0; i < values.size(); ++i)
    if (!(values[i] * kWorstCondition > values[0]))
      for (Eigen::Index j = 0; j < a.cols(); ++j)
        if (std::abs(svd.matrixV()(j, i)) > kTakesPart)
          fit.identified[static_cast<std::size_t>(j)] = false;
}

void bootstrap(const Design& design, std::uint64_t seed, int draws, Fit& fit) {
  fit.low = fit.high = fit.coefficients;
  const std::size_t groups = design.groups.size();
  if (groups < 2 || draws < 1) return;
  Random random(seed, kBootstrapStream);
  std::vector<std::vector<double>> drawn(fit.coefficients.size());
  for (int draw = 0; draw < draws; ++draw) {
    std::vector<std::size_t> chosen(groups);
    for (std::size_t& g : chosen) g = static_cast<std::size_t>(random.below(groups));
    const std::vector<double> coefficients = solve(system_of(design, chosen));
    for (std::size_t j = 0; j < drawn.size(); ++j) drawn[j].push_back(coefficients[j]);
  }
  for (std::size_t j = 0; j < drawn.size(); ++j) {
    fit.low[j] = quantile(drawn[j], 0.025);
    fit.high[j] = quantile(drawn[j], 0.975);
  }
}

void summarise_residuals(const std::vector<Sample>& samples, Fit& fit) {
  std::vector<double> residuals, sizes;
  for (const Sample& sample : samples) {
    const double fitted = fit.predict(sample.x);
    // A fit that gives a point no time at all is off by everything there.
    const double r = fitted > 0 ? sample.seconds / fitted - 1 : 1;
    residuals.push_back(r);
    sizes.push_back(std::abs(r));
  }
  fit.median_abs_relative_residual = median(sizes);
  for (std::size_t i = 0; i < kResidualLevels.size(); ++i)
    fit.residual_quantiles[i] = quantile(residuals, kResidualLevels[i]);
}

}  // namespace

double Fit::predict(const std::vector<double>& x) const {
  if (x.size() != coefficients.size())
    throw std::invalid_argument("fit: a point with another number of columns");
  double seconds = 0;
  for (std::size_t j = 0; j < x.size(); ++j) seconds += coefficients[j] * x[j];
  return seconds;
}

Fit fit(const std::vector<Sample>& samples, const std::vector<std::string>& columns,
        std::uint64_t seed, const FitOptions& options) {
  check(samples, columns);
  const Design design = design_of(samples);
  if (design.points.size() < columns.size())
    throw InputError(
        fmt::format("fit: {} different points cannot fit {} columns ({}); measure more sizes",
                    design.points.size(), columns.size(), fmt::join(columns, ", ")));
  std::vector<std::size_t> all(design.groups.size());
  for (std::size_t g = 0; g < all.size(); ++g) all[g] = g;
  const System system = system_of(design, all);
  Fit result;
  result.coefficients = solve(system);
  result.design_points = design.points.size();
  result.groups = design.groups.size();
  judge_identifiability(system, result);
  bootstrap(design, seed, options.draws, result);
  summarise_residuals(samples, result);
  return result;
}

std::vector<double> hinge(double bytes, const std::vector<double>& breakpoints) {
  std::vector<double> parts;
  double from = 0;
  for (double to : breakpoints) {
    if (!(to > from)) throw std::invalid_argument("breakpoints ascend from above zero");
    parts.push_back(std::clamp(bytes - from, 0.0, to - from));
    from = to;
  }
  parts.push_back(std::max(0.0, bytes - from));
  return parts;
}

}  // namespace missive
