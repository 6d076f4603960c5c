// count_commonality(): the real half walks over sets of units, the model sees only how many
// applications hold each.

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "harness/commonality_experiment.h"
#include "models/commonality.h"
#include "models/random.h"
#include "models/statistics.h"
#include "real/process.h"

namespace missive::harness {

namespace {

using commonality::Collection;

std::vector<std::size_t> everyone(const Collection& c) {
  std::vector<std::size_t> all(c.members.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

HolderBytes holders_of(const Collection& c, const std::vector<std::size_t>& members) {
  std::vector<std::uint32_t> count(c.lengths.size());
  for (const std::size_t m : members)
    for (const std::uint32_t unit : c.members[m].units) ++count[unit];
  HolderBytes holders{std::vector<double>(members.size() + 1)};
  for (std::size_t unit = 0; unit < count.size(); ++unit)
    if (count[unit] > 0) holders.bytes[count[unit]] += c.lengths[unit];
  return holders;
}

// What each application of `order` brings that none before it had.
std::vector<double> arrivals(const Collection& c, const std::vector<std::size_t>& order) {
  std::vector<bool> held(c.lengths.size());
  std::vector<double> fresh;
  for (const std::size_t m : order) {
    double bytes = 0;
    for (const std::uint32_t unit : c.members[m].units) {
      if (!held[unit]) bytes += c.lengths[unit];
      held[unit] = true;
    }
    fresh.push_back(bytes);
  }
  return fresh;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// What each member brings beyond the others among `members`.
std::vector<double> left_out(const Collection& c, const std::vector<std::size_t>& members) {
  std::vector<double> bytes;
  for (std::size_t i = 0; i < members.size(); ++i) {
    std::vector<std::size_t> others = members;
    others.erase(others.begin() + static_cast<std::ptrdiff_t>(i));
    bytes.push_back(static_cast<double>(commonality::new_bytes(c, members[i], others)));
  }
  return bytes;
}

class Count {
 public:
  Count(const Collection& c, const Experiment& e, std::vector<std::string>& differences)
      : c_(c),
        e_(e),
        settings_(commonality_settings(e)),
        differences_(differences),
        all_(everyone(c)),
        holders_(holders_of(c, all_)) {}

  std::vector<Metric> run() {
    per_application();
    families();
    curve();
    held_out();
    return std::move(metrics_);
  }

 private:
  bool predicts() const { return e_.backend != Backend::real; }
  bool counts() const { return e_.backend != Backend::sim; }

  Metric& add(const std::string& name, std::optional<double> predicted,
              std::optional<Measured> counted) {
    Metric m;
    m.name = name;
    m.phase = "total";
    m.unit = "B";
    if (predicts()) m.simulated = predicted;
    if (counts()) m.measured = counted;
    if (m.simulated) m.provenance = "measured";  // counts of holders; no parameter of a cost
    if (m.simulated && m.measured && m.measured->median > 0)
      m.relative_error = (*m.simulated - m.measured->median) / m.measured->median;
    metrics_.push_back(std::move(m));
    return metrics_.back();
  }

  void exact(const std::string& name, double predicted, double counted) {
    const Metric& m = add(name, predicted, Measured{counted, counted, counted, 1, std::nullopt});
    // Sums of whole bytes, but for the rounding of the fractions k/N.
    if (m.simulated && m.measured && std::abs(predicted - counted) > 1e-9 * counted)
      differences_.push_back(name + " is " + std::to_string(counted) + ", predicted " +
                             std::to_string(predicted));
  }

  void counted(const std::string& name, double v, std::size_t n) {
    add(name, std::nullopt, Measured{v, v, v, n, std::nullopt});
  }

  void distribution(const std::string& name, const std::vector<double>& values) {
    const auto one = [&](const std::string& part, double v) {
      counted(name + part, v, values.size());
    };
    one(".median", median(values));
    one(".p10", quantile(values, 0.1));
    one(".p90", quantile(values, 0.9));
  }

  // Metadata and recipe.
  double private_bytes(std::size_t i) const {
    const commonality::Member& m = c_.members[i];
    const double unit = c_.metadata_unit;
    const double metadata =
        commonality_metadata_bytes(static_cast<double>(m.files), static_cast<double>(m.path_bytes));
    const double more = unit > 1 ? std::ceil(metadata / unit) : 0;  // units of metadata
    return (unit > 1 ? more * unit : metadata) +
           commonality_recipe_bytes(static_cast<double>(m.units.size()) + more, c_.blocks);
  }

  void per_application() {
    std::vector<double> alone, alone_all, last = left_out(c_, all_), last_all;
    for (const std::size_t i : all_) {
      const double own = private_bytes(i);
      alone.push_back(static_cast<double>(commonality::content_bytes(c_, i)));
      alone_all.push_back(alone.back() + own);
      last_all.push_back(last[i] + own);
    }
    exact("alone", expected_new_bytes(holders_, 1), mean(alone));
    exact("left_out", expected_new_bytes(holders_, all_.size()), mean(last));
    distribution("alone", alone);
    distribution("left_out", last);
    distribution("alone_all", alone_all);
    distribution("left_out_all", last_all);
    counted("left_out_all", mean(last_all), last_all.size());
  }

  void families() {
    std::map<std::string, std::vector<std::size_t>> families;
    for (const std::size_t i : all_) families[c_.members[i].family].push_back(i);
    for (const auto& [name, members] : families) {
      if (members.size() < 2) continue;
      const double last = mean(left_out(c_, members));
      exact("left_out." + name, expected_new_bytes(holders_of(c_, members), members.size()), last);
      std::vector<double> own;
      for (const std::size_t i : members) own.push_back(private_bytes(i));
      counted("left_out_all." + name, last + mean(own), members.size());
    }
  }

  void curve() {
    std::vector<std::vector<double>> by_place(all_.size());
    Random random(e_.seed, 1);
    std::vector<std::size_t> order = all_;
    double together = 0;
    for (std::uint64_t o = 0; counts() && o < settings_.orders; ++o) {
      check_interrupt();
      random.shuffle(order);
      const std::vector<double> fresh = arrivals(c_, order);
      for (std::size_t i = 0; i < fresh.size(); ++i) by_place[i].push_back(fresh[i]);
      together = std::accumulate(fresh.begin(), fresh.end(), 0.0);
    }
    exact("union", expected_union_bytes(holders_, all_.size()), together);
    for (const std::size_t n : {2, 3, 5, 10, 20, 50, 100}) {
      if (n > all_.size()) break;
      std::optional<Measured> counted;
      if (counts()) counted = mean_of(by_place[n - 1]);
      Metric& m = add("new." + std::to_string(n), expected_new_bytes(holders_, n), counted);
      if (counted && m.simulated) {
        // The mean of few orders is uncertain itself: its interval counts where it is wider.
        const bool inside = *m.simulated >= counted->low && *m.simulated <= counted->high;
        m.within_tolerance = inside || std::abs(*m.relative_error) <= settings_.tolerance;
      }
      if (counts()) distribution("new." + std::to_string(n), by_place[n - 1]);
    }
  }

  // Mean with a 95 % interval (normal).
  static Measured mean_of(const std::vector<double>& values) {
    const double m = mean(values);
    double square = 0;
    for (const double v : values) square += (v - m) * (v - m);
    const double n = static_cast<double>(values.size());
    const double half = n > 1 ? 1.96 * std::sqrt(square / (n - 1) / n) : 0;
    return {m, m - half, m + half, values.size(), std::nullopt};
  }

  // From every other application to all of them: nothing of the others goes into the fit.
  void held_out() {
    std::vector<std::size_t> half;
    for (std::size_t i = 0; i < all_.size(); i += 2) half.push_back(i);
    if (half.size() < 4) return;
    const HolderBytes seen = holders_of(c_, half);
    std::vector<double> curve;
    for (std::size_t n = 1; n <= half.size(); ++n) curve.push_back(expected_new_bytes(seen, n));
    if (!(curve.back() > 0)) return;
    const CommonalityFit fit = fit_commonality(curve);
    double predicted = expected_union_bytes(seen, half.size());
    for (std::size_t n = half.size() + 1; n <= all_.size(); ++n)
      predicted += fit.at(static_cast<double>(n));
    const double counted = expected_union_bytes(holders_, all_.size());
    add("union.held_out", predicted, Measured{counted, counted, counted, 1, std::nullopt}).note =
        "from " + std::to_string(half.size()) + " applications to " + std::to_string(all_.size());
  }

  const Collection& c_;
  const Experiment& e_;
  const CommonalitySettings& settings_;
  std::vector<std::string>& differences_;
  std::vector<std::size_t> all_;
  HolderBytes holders_;
  std::vector<Metric> metrics_;
};

}  // namespace

std::vector<Metric> count_commonality(const Collection& collection, const Experiment& e,
                                      std::vector<std::string>& differences) {
  return Count(collection, e, differences).run();
}

}  // namespace missive::harness
