#include "harness/verification_table.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "harness/result_table.h"
#include "harness/table.h"
#include "harness/verification_experiment.h"
#include "real/measure/read_memory.h"
#include "real/verify/algorithm.h"
#include "real/verify/multi_buffer.h"

namespace missive::harness {

namespace {

// Missive, USENIX ATC 2014: 100 MiB on one core, SHA-1 and VMAC.
constexpr double kSeedHash = 0.390, kSeedMac = 0.029, kSeedBytes = 100 << 20;

const PointResult* find_point(const Result& result, const std::string& algorithm) {
  for (const PointResult& point : result.points)
    if (point.label == algorithm) return &point;
  return nullptr;
}

const Metric* find(const PointResult* point, const std::string& name) {
  if (point == nullptr) return nullptr;
  for (const Metric& m : point->metrics)
    if (m.name == name) return &m;
  return nullptr;
}

std::optional<double> best(const Metric* m) {
  if (m == nullptr) return std::nullopt;
  return m->measured ? std::optional(m->measured->median) : m->simulated;
}

std::string measured(const Metric* m) {
  return m != nullptr && m->measured ? seconds_text(m->measured->median) : "-";
}
std::string simulated(const Metric* m) {
  return m != nullptr && m->simulated ? seconds_text(*m->simulated) : "-";
}
std::string error(const Metric* m) {
  if (m == nullptr || !m->relative_error) return "-";
  return fmt::format("{:+.1f}%{}", *m->relative_error * 100,
                     m->within_tolerance.value_or(true) ? "" : "!");
}
std::string ratio(const Metric* m) {
  const auto value = best(m);
  return value ? fmt::format("{:.2f}", *value) : "-";
}

// "hash", "mac, nonce", "BROKEN".
std::string kind_of(const verify::Algorithm& a) {
  if (a.standing == verify::Standing::broken) return "broken";
  if (a.family == verify::Family::reference) return "no security";
  if (a.family == verify::Family::hash) return "hash";
  return a.nonce == verify::NonceRule::none     ? "mac"
         : a.nonce == verify::NonceRule::unique ? "mac, nonce"
                                                : "mac, 1-time";
}

class VerificationTable {
 public:
  VerificationTable(const Result& r, const Experiment& e)
      : result_(r), settings_(verification_settings(e)) {
    for (const std::string& g : settings_.granularity)
      if (g != "whole" && fine_.empty()) fine_ = g;
    if (fine_.empty()) fine_ = "whole";
    for (const std::uint64_t n : settings_.threads) most_ = std::max(most_, n);
  }

  Answer short_answer() const {
    Answer a;
    a.question = fmt::format("What does checking {} cost?", to_string(settings_.size));
    for (const std::string& name :
         {at(fine_, 1), at("whole", 1), "cache." + fine_ + ".1", at(fine_, most_), at(coarse(), 1)})
      if (std::find(a.metrics.begin(), a.metrics.end(), name) == a.metrics.end())
        a.metrics.push_back(name);
    a.words = {
        {"memory.4KiB.1", "the whole size, in no cache, in messages of 4 KiB, on one core"},
        {"cache.4KiB.1", fmt::format("{}, read just before", to_string(settings_.cached_size))},
        {"short.64B", "one message of 64 bytes in the first-level cache"},
        {"x read, x SHA-1", "so many times the time of reading the same bytes, or of SHA-1"},
        {"...-mb", "several messages at a time in vector lanes (multi-buffer)"},
        {"nonce, 1-time",
         "the MAC needs a number that is never used twice, or a key of its own for each message"}};
    const PointResult* keyed = quickest(verify::Family::mac, at(fine_, 1));
    const PointResult* tree = quickest(verify::Family::hash, at(fine_, 1));
    const auto k = best(find(keyed, at(fine_, 1))), t = best(find(tree, at(fine_, 1)));
    if (!k || !t) return a;
    a.answer = fmt::format("{} keyed, {} hashed", seconds_text(*k), seconds_text(*t));
    const auto read = best(find(find_point(result_, "read"), at("whole", 1)));
    a.detail = fmt::format(
        "{} and {}, the quickest sound ones, messages of {}, one core{}. Missive "
        "in 2014, 100 MiB: VMAC {:.0f} ms, SHA-1 {:.0f} ms",
        keyed->label, tree->label, fine_, read ? "; reading alone " + seconds_text(*read) : "",
        kSeedMac * 1e3, kSeedHash * 1e3);
    return a;
  }

  std::string text() const {
    std::string out = fmt::format(
        "{} in memory, checked whole, on one core (columns with predicted and error: messages of "
        "{})\n\n",
        to_string(settings_.size), fine_);
    out += rows();
    out += answers();
    return out + summary();
  }

 private:
  std::string at(const std::string& g, std::uint64_t n) const {
    return "memory." + g + "." + std::to_string(n);
  }
  std::string coarse() const {
    for (const std::string& g : settings_.granularity)
      if (g != "whole" && g != fine_) return g;
    return "";
  }

  std::string rows() const {
    const std::string coarse_name = coarse();
    Table table({"algorithm", "", "predicted", fine_, "error", "x read", "x SHA-1",
                 coarse_name.empty() ? "-" : coarse_name, "whole", fmt::format("{} cores", most_),
                 "in cache", "short"});
    table.align_left(2);
    for (const std::string bound : {"read", "copy"}) {
      const PointResult* p = find_point(result_, bound);
      const Metric* one = find(p, at("whole", 1));
      const std::string what =
          bound == "read" ? measure::to_string(measure::widest_read()) : "memcpy";
      const std::string times = ratio_to_read(one);
      table.add({bound, what, simulated(one), measured(one), error(one), times, "-", "-", "-",
                 value(find(p, at("whole", most_))), "-", "-"});
    }
    table.rule();
    for (const VerificationPoint& point : settings_.points) {
      if (point.algorithm == "read" || point.algorithm == "copy") continue;
      const PointResult* p = find_point(result_, point.algorithm);
      const Metric* m = find(p, at(fine_, 1));
      if (m == nullptr) continue;
      const verify::Algorithm& a = verify::algorithm(point.algorithm);
      table.add({a.name, kind_of(a), simulated(m), measured(m), error(m),
                 ratio(find(p, "x_read." + fine_)), ratio(find(p, "x_sha1." + fine_)),
                 value(find(p, at(coarse_name, 1))), value(find(p, at("whole", 1))),
                 value(find(p, at(fine_, most_))), value(find(p, "cache." + fine_ + ".1")),
                 short_of(p)});
    }
    return table.text("  ");
  }

  // Measured where it was, else predicted.
  static std::string value(const Metric* m) {
    const auto v = best(m);
    return v ? seconds_text(*v) : "-";
  }
  std::string short_of(const PointResult* p) const {
    if (settings_.messages.empty()) return "-";
    return value(find(p, "short." + std::to_string(settings_.messages.front().count) + "B"));
  }
  std::string ratio_to_read(const Metric* m) const {
    const auto read = best(find(find_point(result_, "read"), at("whole", 1)));
    const auto mine = best(m);
    return read && mine && *read > 0 ? fmt::format("{:.2f}", *mine / *read) : "-";
  }

  std::string notes() const {
    std::string text =
        fmt::format("\n  in cache: {}, in the caches already", to_string(settings_.cached_size));
    if (!settings_.messages.empty())
      text += fmt::format("; short: one message of {}", to_string(settings_.messages.front()));
    return text + ". Hashes: with a tree of degree " + std::to_string(settings_.degree) +
           " over the messages.\n";
  }

  // The quickest of a family with a ratio; sound ones only.
  const PointResult* quickest(verify::Family family, const std::string& metric) const {
    const PointResult* found = nullptr;
    double least = INFINITY;
    for (const VerificationPoint& point : settings_.points) {
      if (point.algorithm == "read" || point.algorithm == "copy") continue;
      const verify::Algorithm& a = verify::algorithm(point.algorithm);
      if (a.family != family || a.standing != verify::Standing::sound || a.digest_bytes < 16)
        continue;
      const PointResult* p = find_point(result_, point.algorithm);
      if (const auto v = best(find(p, metric)); v && *v < least) {
        least = *v;
        found = p;
      }
    }
    return found;
  }

  std::string answer(verify::Family family, const std::string& metric, const std::string& what,
                     const std::string& than, double limit, const std::string& not_judged) const {
    const PointResult* p = quickest(family, metric);
    if (p == nullptr) return "";
    const Metric* m = find(p, metric);
    const auto v = best(m);
    const std::string verdict = !not_judged.empty() ? not_judged
                                : !m->measured      ? "predicted only"
                                : *v <= limit       ? "holds"
                                                    : "does not hold here";
    return fmt::format("{}  {} by {}: {:.2f} x {} (at most {:.2f}): {}\n", what, p->label, fine_,
                       *v, than, limit, verdict);
  }

  std::string answers() const {
    std::string out = notes() + "\n";
    const std::string no_vaes =
        verify::cpu_features().vaes ? "" : "not judged: this processor has no VAES";
    out += answer(verify::Family::mac, "x_read." + fine_, "keyed  ",
                  "the " + measure::to_string(measure::widest_read()) + " read",
                  settings_.keyed_limit, no_vaes);
    out += answer(verify::Family::hash, "x_sha1." + fine_, "tree   ", "SHA-1", settings_.tree_limit,
                  "");
    const auto hash = best(find(find_point(result_, "sha1"), at(fine_, 1)));
    const auto mac = best(find(find_point(result_, "vmac-64"), at(fine_, 1)));
    if (hash && mac) {
      out += fmt::format(
          "seed     Missive in 2014: SHA-1 {:.0f} ms, VMAC {:.0f} ms, {:.1f} x; the same two here: "
          "{}, {}, "
          "{:.1f} x\n",
          kSeedHash * 1e3, kSeedMac * 1e3, kSeedHash / kSeedMac, seconds_text(*hash),
          seconds_text(*mac), *hash / *mac);
      const double part = static_cast<double>(settings_.size.count) / kSeedBytes;
      const PointResult* tree = quickest(verify::Family::hash, at(fine_, 1));
      const PointResult* keyed = quickest(verify::Family::mac, at(fine_, 1));
      const auto t = best(find(tree, at(fine_, 1))), k = best(find(keyed, at(fine_, 1)));
      if (t && k)
        out += fmt::format(
            "today    the quickest sound two: {} {}, {} {}, {:.1f} x; {:.0f} and {:.0f} times as "
            "fast as "
            "2014's\n",
            tree->label, seconds_text(*t), keyed->label, seconds_text(*k), *t / *k,
            kSeedHash * part / *t, kSeedMac * part / *k);
    }
    return out;
  }

  std::string summary() const {
    const Summary& s = result_.summary;
    std::string out;
    if (s.median_abs_relative_error)
      out += fmt::format(
          "model    {} times compared: error median {:.1f}% (allowed {:.0f}%), 90th percentile "
          "{:.1f}%, "
          "largest {:.1f}%: {}\n",
          s.compared, *s.median_abs_relative_error * 100, settings_.median_tolerance * 100,
          *s.p90_abs_relative_error * 100, *s.max_abs_relative_error * 100,
          s.within_tolerance.value_or(false) ? "within tolerance" : "not within tolerance");
    for (const std::string& line : s.not_available) out += "not here " + line + "\n";
    if (s.interrupted) out += "interrupted: what was measured until then\n";
    return out;
  }

  const Result& result_;
  const VerificationSettings& settings_;
  std::string fine_;
  std::uint64_t most_ = 1;
};

}  // namespace

Answer verification_answer(const Result& result, const Experiment& experiment) {
  return VerificationTable(result, experiment).short_answer();
}

std::string verification_table(const Result& result, const Experiment& experiment) {
  return VerificationTable(result, experiment).text();
}

}  // namespace missive::harness
