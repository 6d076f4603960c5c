#include <algorithm>
#include <cmath>

#include "harness/verification_run.h"
#include "models/error.h"

namespace missive::harness {

namespace {

class VerificationComparison {
 public:
  VerificationComparison(const Experiment& e, const std::vector<VerificationData>& data,
                         const ParameterSet& parameters, Result& result)
      : e_(e),
        settings_(verification_settings(e)),
        data_(data),
        parameters_(parameters),
        result_(result) {}

  void run() {
    for (const VerificationData& d : data_) times(d);
    for (const VerificationData& d : data_) ratios(d);
    summarise();
  }

 private:
  const std::string& algorithm(const VerificationData& d) const {
    return settings_.points[d.point].algorithm;
  }

  void times(const VerificationData& d) {
    if (!d.unavailable.empty()) return;
    for (const VerificationMetric& v : verification_metrics(algorithm(d), settings_)) {
      Metric m;
      m.name = v.name;
      m.phase = "verify";
      m.unit = "s";
      predict_into(m, v);
      const auto found = d.groups.find(v.name);
      if (found != d.groups.end()) m.measured = measured_of(found->second);
      if (!m.simulated && !m.measured) continue;
      judge(m);
      observe(d.point, m, found == d.groups.end() ? Groups{} : found->second);
      result_.points.at(d.point).metrics.push_back(std::move(m));
    }
  }

  void predict_into(Metric& m, const VerificationMetric& v) {
    if (e_.backend == Backend::real) return;
    try {
      const VerificationCost cost = predict(v.work, parameters_);
      m.simulated = cost.seconds * v.share;
      m.note = cost.formula;
      Provenance weakest = Provenance::measured;
      for (const std::string& name : cost.parameters) {
        weakest = std::max(weakest, parameters_.at(name).provenance);
        result_.parameters_used.set(name, parameters_.at(name));
      }
      m.provenance = missive::to_string(weakest);
    } catch (const InputError&) {  // more threads than this host could be calibrated for
    }
  }

  Measured measured_of(const Groups& groups) const {
    const Estimate e = median_by_group(groups, e_.seed);
    Measured m{e.value, e.low, e.high, e.n, std::nullopt};
    if (e.n >= 2 && e.value > 0) m.noise_floor = noise_floor(groups, e_.seed);
    return m;
  }

  void judge(Metric& m) const {
    if (!m.simulated || !m.measured || !(m.measured->median > 0)) return;
    m.relative_error = (*m.simulated - m.measured->median) / m.measured->median;
    const double allowed = std::max(settings_.most_tolerance, m.measured->noise_floor.value_or(0));
    m.within_tolerance = std::abs(*m.relative_error) <= allowed;
  }

  void observe(std::size_t point, const Metric& m, const Groups& groups) {
    const std::string& id = result_.points.at(point).id;
    if (m.simulated)
      result_.observations.push_back({id, "sim", m.phase, m.name, m.unit, 0, *m.simulated});
    std::size_t repetition = 0;
    for (const auto& group : groups)
      for (const double value : group)
        result_.observations.push_back({id, "real", m.phase, m.name, m.unit, repetition++, value});
  }

  const VerificationData* data_of(const std::string& name) const {
    for (const VerificationData& d : data_)
      if (algorithm(d) == name && d.unavailable.empty()) return &d;
    return nullptr;
  }

  const Metric* metric_of(std::size_t point, const std::string& name) const {
    for (const Metric& m : result_.points.at(point).metrics)
      if (m.name == name) return &m;
    return nullptr;
  }

  // Of one core over the same bytes in the same run: how often the bound, how often the seed's
  // hash.
  void ratios(const VerificationData& d) {
    if (!d.unavailable.empty() || algorithm(d) == "read" || algorithm(d) == "copy") return;
    for (const std::string& g : settings_.granularity) {
      ratio(d, "memory." + g + ".1", "read", "memory.whole.1", "x_read." + g);
      ratio(d, "memory." + g + ".1", "sha1", "memory." + g + ".1", "x_sha1." + g);
    }
  }

  void ratio(const VerificationData& d, const std::string& of, const std::string& to_whom,
             const std::string& to, const std::string& name) {
    const VerificationData* other = data_of(to_whom);
    if (other == nullptr) return;
    const Metric* a = metric_of(d.point, of);
    const Metric* b = metric_of(other->point, to);
    if (a == nullptr || b == nullptr) return;
    Metric m;
    m.name = name;
    m.phase = "verify";
    m.unit = "1";
    m.note = of + " over " + to_whom + " " + to;
    if (a->simulated && b->simulated && *b->simulated > 0) {
      m.simulated = *a->simulated / *b->simulated;
      m.provenance = std::max(a->provenance, b->provenance);
    }
    const auto mine = d.groups.find(of), theirs = other->groups.find(to);
    if (mine != d.groups.end() && theirs != other->groups.end()) {
      const Estimate e = ratio_by_group(mine->second, theirs->second, e_.seed);
      m.measured = Measured{e.value, e.low, e.high, e.n, std::nullopt};
    }
    if (m.simulated && m.measured && m.measured->median > 0)
      m.relative_error = (*m.simulated - m.measured->median) / m.measured->median;
    if (m.simulated || m.measured) result_.points.at(d.point).metrics.push_back(std::move(m));
  }

  void summarise() {
    std::vector<double> errors;
    std::size_t misses = 0;
    for (const PointResult& point : result_.points)
      for (const Metric& m : point.metrics) {
        if (!m.within_tolerance) continue;
        errors.push_back(std::abs(*m.relative_error));
        misses += !*m.within_tolerance;
      }
    Summary& s = result_.summary;
    summarise_errors(errors, s);
    if (errors.empty()) return;
    s.within_tolerance =
        *s.median_abs_relative_error <= settings_.median_tolerance && misses * 10 <= errors.size();
  }

  const Experiment& e_;
  const VerificationSettings& settings_;
  const std::vector<VerificationData>& data_;
  const ParameterSet& parameters_;
  Result& result_;
};

}  // namespace

void compare_verification(const Experiment& experiment, const std::vector<VerificationData>& data,
                          const ParameterSet& parameters, Result& result) {
  VerificationComparison(experiment, data, parameters, result).run();
}

}  // namespace missive::harness
