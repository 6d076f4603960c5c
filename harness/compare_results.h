#pragma once
// Two results of one experiment side by side: two hosts, two commits, two days. For each metric of
// each point the ratio B / A of the medians, its 95 % interval (bootstrap over the observations;
// over processes where a kind repeats within them), and a verdict that never calls a difference
// what the machine shows against itself.

#include <optional>
#include <string>
#include <vector>

#include "harness/result.h"

namespace missive::harness {

enum class Change { faster, slower, smaller, larger, same, not_comparable };
std::string to_string(Change change);

struct MetricChange {
  std::string point, label, metric, unit;
  bool measured = true;  // false: the two simulated values
  std::optional<double> a, b;
  std::optional<double> ratio, low, high;
  double noise_floor = 0;  // the larger of both results', relative
  std::size_t n_a = 0, n_b = 0;
  Change change = Change::not_comparable;
  std::string why;  // of not_comparable
};

struct ResultComparison {
  std::vector<MetricChange> metrics;              // in the order of A
  std::vector<std::string> differences;           // what else differs: "cpu: x, y"
  std::vector<std::string> only_in_a, only_in_b;  // labels of points
  std::size_t count(Change change) const;
};

// Both with observations. Throws InputError when the two have no point in common.
ResultComparison compare_results(const Result& a, const Result& b);

}  // namespace missive::harness
