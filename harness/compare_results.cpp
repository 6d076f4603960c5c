#include "harness/compare_results.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "models/error.h"
#include "models/statistics.h"

namespace missive::harness {
namespace {

// Fixed, so that a comparison repeats to the digit.
constexpr std::uint64_t kSeed = 1;

// Simulated values are exact: anything beyond rounding is another model, parameter or program.
constexpr double kExact = 1e-9;

using Observations = std::map<std::pair<std::string, std::string>, std::vector<double>>;

Observations observations_of(const Result& result) {
  Observations all;
  for (const ObservationRow& row : result.observations)
    if (row.backend == "real" && std::isfinite(row.value))
      all[{row.point, row.metric}].push_back(row.value);
  return all;
}

// Launches are processes of their own; isolation cells give some values in each process.
std::size_t values_per_process(const Result& result) {
  if (result.kind != "isolation" || !result.effective.is_object()) return 1;
  return std::max<std::size_t>(1, result.effective.value("repetitions", std::size_t{1}));
}

Groups grouped(const std::vector<double>& values, std::size_t size) {
  Groups groups;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i % size == 0) groups.emplace_back();
    groups.back().push_back(values[i]);
  }
  return groups;
}

const Metric* find(const PointResult& point, const std::string& name) {
  for (const Metric& m : point.metrics)
    if (m.name == name) return &m;
  return nullptr;
}

Change direction(bool larger, const std::string& unit) {
  if (unit == "s") return larger ? Change::slower : Change::faster;
  return larger ? Change::larger : Change::smaller;
}

void judge(MetricChange& m) {
  const bool larger = *m.ratio > 1;
  const bool beyond_noise = std::abs(*m.ratio - 1) > m.noise_floor;
  const bool interval_clear = larger ? *m.low > 1 : *m.high < 1;
  m.change = beyond_noise && interval_clear ? direction(larger, m.unit) : Change::same;
}

MetricChange not_comparable(MetricChange m, const std::string& why) {
  m.change = Change::not_comparable;
  m.why = why;
  return m;
}

class Comparer {
 public:
  Comparer(const Result& a, const Result& b)
      : a_(a), b_(b), seen_a_(observations_of(a)), seen_b_(observations_of(b)) {}

  void add(const PointResult& a, const PointResult& b, std::vector<MetricChange>& out) const {
    for (const Metric& m : a.metrics) {
      const Metric* other = find(b, m.name);
      MetricChange change;
      change.point = a.id;
      change.label = a.label;
      change.metric = m.name;
      change.unit = m.unit;
      if (m.measured || (other != nullptr && other->measured))
        out.push_back(measured(change, m, other));
      if (m.provenance != "exact" && (m.simulated || (other != nullptr && other->simulated)))
        out.push_back(simulated(change, m, other));
    }
  }

 private:
  MetricChange measured(MetricChange c, const Metric& a, const Metric* b) const {
    if (a.measured) c.a = a.measured->median;
    if (b != nullptr && b->measured) c.b = b->measured->median;
    if (!c.a) return not_comparable(c, "not measured in A");
    if (!c.b) return not_comparable(c, "not measured in B");
    if (b->unit != a.unit) return not_comparable(c, "other units: " + a.unit + ", " + b->unit);
    c.noise_floor =
        std::max(a.measured->noise_floor.value_or(0), b->measured->noise_floor.value_or(0));
    const auto x = seen_a_.find({c.point, c.metric}), y = seen_b_.find({c.point, c.metric});
    if (x == seen_a_.end() || y == seen_b_.end())
      return not_comparable(c, "no observations: it is derived from others");
    c.n_a = x->second.size();
    c.n_b = y->second.size();
    if (!(median(x->second) > 0) || !(median(y->second) > 0)) {
      if (*c.a == *c.b) {
        c.change = Change::same;
        return c;
      }
      return not_comparable(c, "a median is not positive");
    }
    if (c.n_a < 2 || c.n_b < 2)
      return not_comparable(c, "one observation has no interval; run more repetitions");
    try {
      const Estimate e = ratio_by_group(grouped(y->second, values_per_process(b_)),
                                        grouped(x->second, values_per_process(a_)), kSeed, 1000);
      c.ratio = e.value;
      c.low = e.low;
      c.high = e.high;
    } catch (const std::domain_error&) {
      return not_comparable(c, "a median is not positive");
    }
    judge(c);
    return c;
  }

  static MetricChange simulated(MetricChange c, const Metric& a, const Metric* b) {
    c.measured = false;
    c.a = a.simulated;
    if (b != nullptr) c.b = b->simulated;
    if (!c.a) return not_comparable(c, "not simulated in A");
    if (!c.b) return not_comparable(c, "not simulated in B");
    if (*c.a == *c.b) {
      c.change = Change::same;
      if (*c.a != 0) c.ratio = c.low = c.high = 1;
      return c;
    }
    if (!(*c.a > 0) || !(*c.b > 0)) return not_comparable(c, "a value is not positive");
    c.ratio = c.low = c.high = *c.b / *c.a;
    c.noise_floor = kExact;
    judge(c);
    return c;
  }

  const Result &a_, &b_;
  Observations seen_a_, seen_b_;
};

std::vector<std::string> other_differences(const Result& a, const Result& b) {
  std::vector<std::string> all;
  const auto value = [](const Result& r, const char* key) {
    if (!r.context.is_object() || !r.context.contains(key)) return std::string{"not known"};
    const Json& v = r.context[key];
    return v.is_string() ? v.get<std::string>()
                         : v.dump(-1, ' ', false, Json::error_handler_t::replace);
  };
  for (const char* key : {"cpu", "cores", "kernel", "mitigations", "version", "commit", "compiler",
                          "build_type", "governor", "idle_states", "parameters_sha256"})
    if (value(a, key) != value(b, key))
      all.push_back(std::string(key) == "mitigations"
                        ? std::string("mitigations of the processor's weaknesses")
                        : fmt::format("{}: A {}, B {}", key, value(a, key), value(b, key)));
  if (a.sha256 != b.sha256) all.emplace_back("the experiment files are not the same");
  if (a.seed != b.seed) all.push_back(fmt::format("seed: A {}, B {}", a.seed, b.seed));
  return all;
}

}  // namespace

std::string to_string(Change change) {
  switch (change) {
    case Change::faster:
      return "faster";
    case Change::slower:
      return "slower";
    case Change::smaller:
      return "smaller";
    case Change::larger:
      return "larger";
    case Change::same:
      return "no difference";
    case Change::not_comparable:
      return "not comparable";
  }
  return "?";
}

std::size_t ResultComparison::count(Change change) const {
  return static_cast<std::size_t>(std::count_if(
      metrics.begin(), metrics.end(), [&](const MetricChange& m) { return m.change == change; }));
}

ResultComparison compare_results(const Result& a, const Result& b) {
  ResultComparison out;
  std::map<std::string, const PointResult*> of_b;
  for (const PointResult& point : b.points) of_b[point.id] = &point;
  const Comparer comparer(a, b);
  bool any = false;
  for (const PointResult& point : a.points) {
    const auto other = of_b.find(point.id);
    if (other == of_b.end()) {
      out.only_in_a.push_back(point.label);
      continue;
    }
    any = true;
    comparer.add(point, *other->second, out.metrics);
    of_b.erase(other);
  }
  if (!any)
    throw InputError(fmt::format(
        "compare: the results have no point in common (A answers '{}', B '{}'); compare two runs "
        "of one experiment",
        a.name, b.name));
  for (const PointResult& point : b.points)
    if (of_b.contains(point.id)) out.only_in_b.push_back(point.label);
  out.differences = other_differences(a, b);
  return out;
}

}  // namespace missive::harness
