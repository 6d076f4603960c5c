// The one-screen table: the seed's 64 -> 1 MiB beside every reading of it.

#include <fmt/format.h>

#include "harness/commonality_experiment.h"
#include "harness/table.h"

namespace missive::harness {

namespace {

constexpr double kMiB = 1 << 20;
constexpr double kSeedBefore = 64 * kMiB, kSeedAfter = 1 * kMiB;
constexpr double kNear = 2;  // a reading supports a figure within this factor

std::optional<double> value(const PointResult& p, const std::string& name) {
  for (const Metric& m : p.metrics)
    if (m.name == name) return m.measured ? std::optional(m.measured->median) : m.simulated;
  return std::nullopt;
}

std::string mib(std::optional<double> bytes) {
  return bytes ? fmt::format("{:.1f}", *bytes / kMiB) : "-";
}

bool near(double a, double b) { return a <= b * kNear && b <= a * kNear; }

class Text {
 public:
  explicit Text(const Result& result) : result_(result) {}

  std::string readings() {
    Table table({"content", "units", "counted", "no cache", "warm: median", "p10", "p90", "warm/no",
                 "seed's?"});
    table.align_left(3);
    for (const PointResult& p : result_.points)
      for (const std::string part : {"", "_all"}) {
        const auto before = value(p, "alone" + part + ".median");
        const auto after = value(p, "left_out" + part + ".median");
        if (!before || !after) continue;
        const bool supports = near(*before, kSeedBefore) && *after <= kSeedAfter * kNear;
        supported_ += supports;
        table.add({p.parameters["content"], p.parameters["units"],
                   part.empty() ? "content" : "+ metadata, recipe", mib(before), mib(after),
                   mib(value(p, "left_out" + part + ".p10")),
                   mib(value(p, "left_out" + part + ".p90")),
                   fmt::format("{:.1f} %", *after / *before * 100), supports ? "yes" : "no"});
      }
    table.add({"Missive, 2014", "64KiB", "not said", "64.0", "1.0", "-", "-", "1.6 %", ""});
    return table.text("  ");
  }

  std::string curves() const {
    Table table({"mean new MiB of the n-th", "1", "2", "3", "5", "10", "20", "50", "100",
                 "left out", "all, from half"});
    for (const PointResult& p : result_.points) {
      std::vector<std::string> row{p.label, mib(value(p, "alone"))};
      for (const char* n : {"2", "3", "5", "10", "20", "50", "100"})
        row.push_back(mib(value(p, std::string("new.") + n)));
      row.push_back(mib(value(p, "left_out")));
      row.push_back(held_out(p));
      table.add(std::move(row));
    }
    return table.text("  ");
  }

  std::string families() const {
    std::string out;
    for (const PointResult& p : result_.points) {
      std::string line;
      for (const Metric& m : p.metrics) {
        constexpr std::string_view kPrefix = "left_out.";
        if (!m.name.starts_with(kPrefix)) continue;
        const std::string family = m.name.substr(kPrefix.size());
        if (family == "median" || family == "p10" || family == "p90") continue;
        line += fmt::format("  {} {}", family, mib(value(p, m.name)));
      }
      if (!line.empty()) out += "  " + p.label + ":" + line + "\n";
    }
    return out.empty()
               ? ""
               : "new MiB (mean) when the cache holds the others of the family only\n" + out;
  }

  std::string verdict() const {
    if (supported_ > 0)
      return fmt::format(
          "seed     {} of the readings above support 64 -> 1 MiB (within {:.0f} x)\n", supported_,
          kNear);
    return fmt::format(
        "seed     no reading above supports 64 -> 1 MiB (before and after within {:.0f} x)\n",
        kNear);
  }

 private:
  static std::string held_out(const PointResult& p) {
    for (const Metric& m : p.metrics)
      if (m.name == "union.held_out" && m.relative_error)
        return fmt::format("{:+.1f} %", *m.relative_error * 100);
    return "-";
  }

  const Result& result_;
  int supported_ = 0;
};

// "6.7 MiB of 48.7 MiB (13.7 %)" of the median application.
std::string new_of(double after, double before) {
  return fmt::format("{:.1f} of {:.1f} MiB ({:.1f} %)", after / kMiB, before / kMiB,
                     after / before * 100);
}

}  // namespace

Answer commonality_answer(const Result& result, const Experiment&) {
  Answer a;
  a.question = "What is new to a cache that holds all the others?";
  a.metrics = {"left_out", "alone", "new.2", "new.10", "new.20", "union.held_out"};
  a.words = {
      {"alone", "bytes that an application brings to an empty cache"},
      {"left_out, warm", "bytes of it that a cache with all the others does not hold"},
      {"new.N", "mean bytes that the N-th application brings, over random orders of arrival"},
      {"union.held_out", "what all bring together, predicted from the first half by a power law"},
      {"p10, p90", "one application in ten has less, or more"}};
  AnswerPlot plot;
  plot.title = "What an application brings, and what of it is new";
  plot.caption =
      "MiB of the median application: to an empty cache, and to one that holds all the others. The "
      "last column is what Missive said in 2014 of a hundred applications, without saying which of "
      "the readings it meant.";
  plot.x_title = "content, and how it is cut";
  plot.y_title = "bytes";
  plot.unit = "B";
  plot.logarithmic = true;
  plot.connected = false;
  std::optional<double> least;
  for (const PointResult& p : result.points) {
    const auto before = value(p, "alone.median"), after = value(p, "left_out.median");
    if (!before || !after || !(*before > 0)) continue;
    plot.points.push_back({"to an empty cache", p.label, *before, mib(before) + " MiB"});
    plot.points.push_back({"to one with all the others", p.label, *after, mib(after) + " MiB"});
    a.sentences.push_back(fmt::format("{}: {}.", p.label, new_of(*after, *before)));
    if (least && *after >= *least) continue;
    least = after;
    a.answer = new_of(*after, *before);
    a.detail = fmt::format(
        "the median application, {}; the least of all readings. Missive said {:.0f} of {:.0f} MiB",
        p.label, kSeedAfter / kMiB, kSeedBefore / kMiB);
  }
  if (!least) return a;
  plot.points.push_back({"to an empty cache", "Missive, 2014", kSeedBefore, "64 MiB, published"});
  plot.points.push_back(
      {"to one with all the others", "Missive, 2014", kSeedAfter, "1 MiB, published"});
  a.plot = std::move(plot);
  return a;
}

std::string commonality_table(const Result& result, const Experiment& experiment) {
  Text text(result);
  std::string out = "MiB of an application that a cache with all the others does not hold\n\n";
  out += text.readings() + "\n" + text.curves() + "\n" + text.families() + "\n" + text.verdict();
  const Summary& s = result.summary;
  if (s.amounts_equal)
    out += *s.amounts_equal
               ? "amounts  without cache, after all others, together, by family: equal\n"
               : "amounts  differ: " + s.amount_differences.front() + "\n";
  if (s.max_abs_relative_error)
    out += fmt::format(
        "model    {} expectations against {} random orders: largest error {:.1f} %\n", s.compared,
        commonality_settings(experiment).orders, *s.max_abs_relative_error * 100);
  for (const std::string& line : s.not_available) out += "not here " + line + "\n";
  for (const std::string& line : s.failures) out += "failed   " + line + "\n";
  return out;
}

}  // namespace missive::harness
