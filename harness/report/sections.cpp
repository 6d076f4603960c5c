// The sections with plots: what came out. Those about how it came about are in provenance.cpp.

#include "harness/report/sections.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "harness/claims.h"
#include "harness/compare_metrics.h"
#include "harness/report/html.h"
#include "harness/result_table.h"
#include "models/statistics.h"

namespace missive::harness {
namespace {

constexpr std::size_t kMostDistributions = 6;
constexpr std::size_t kMostRows = 2000;  // of the table of all points
constexpr std::size_t kMostPairs = 3000;

std::string tile(const std::string& question, const std::string& answer, const std::string& detail,
                 const std::string& mood = {}) {
  return "<div class=\"tile\"><div class=\"q\">" + html_escape(question) + "</div><div class=\"a " +
         mood + "\">" + html_escape(answer) + "</div><div class=\"d\">" + html_escape(detail) +
         "</div></div>\n";
}

std::string paragraph(const std::string& text, const std::string& css = {}) {
  return "<p" + (css.empty() ? std::string{} : " class=\"" + css + "\"") + ">" + html_escape(text) +
         "</p>\n";
}

std::string measured_text(const std::optional<Measured>& m, const std::string& unit) {
  if (!m) return "-";
  return fmt::format("{} [{}, {}]", value_text(m->median, unit), value_text(m->low, unit),
                     value_text(m->high, unit));
}

std::string verdict_of(const Metric& m) {
  if (!m.within_tolerance) return "not judged";
  return *m.within_tolerance ? "yes" : "no";
}

std::string capitalised(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 32);
  return text;
}

// At most `most` rows, spread evenly, so that a long sweep keeps its shape.
template <typename T>
std::vector<T> spread(const std::vector<T>& rows, std::size_t most) {
  if (rows.size() <= most) return rows;
  std::vector<T> out;
  for (std::size_t i = 0; i < most; ++i) out.push_back(rows[i * rows.size() / most]);
  return out;
}

}  // namespace

std::string ReportWriter::figure(const std::string& id, const std::string& title,
                                 const std::string& caption, const Json& spec,
                                 const std::string& table) const {
  std::string html = "<figure id=\"" + id + "\"";
  if (plots_)
    html += " data-plot>\n<div class=\"title\">" + html_escape(title) +
            "</div>\n<div class=\"plot\" role=\"img\" aria-label=\"" +
            html_escape(title + ". The values are in the table below.") +
            "\"></div>\n<script type=\"application/json\">" + json_for_script(spec) + "</script>\n";
  else
    html += ">\n<div class=\"title\">" + html_escape(title) + "</div>\n";
  html += "<figcaption>" + html_escape(caption) + "</figcaption>\n";
  if (!table.empty())
    html += std::string("<details") + (plots_ ? "" : " open") +
            "><summary>The values as a table</summary>\n" + table + "</details>\n";
  return html + "</figure>\n";
}

std::string ReportWriter::header() const {
  std::string html = "<h1>" + html_escape(result_.name) + "</h1>\n";
  if (!result_.description.empty()) html += paragraph(result_.description, "asked");
  const auto of_context = [&](const char* key) {
    const auto found =
        result_.context.is_object() ? result_.context.find(key) : result_.context.end();
    return result_.context.is_object() && found != result_.context.end() && found->is_string()
               ? found->get<std::string>()
               : std::string{"unknown"};
  };
  html += paragraph(fmt::format("{} point{}, seed {}; on {}, {}; {}", result_.points.size(),
                                result_.points.size() == 1 ? "" : "s", result_.seed,
                                of_context("cpu"), of_context("kernel"), of_context("date")),
                    "meta");
  return html + tiles() + in_words();
}

std::string ReportWriter::tiles() const {
  const Summary& s = result_.summary;
  std::string html = "<div class=\"tiles\">\n";
  if (!launches_.empty()) {
    const ShownLaunch& l = launches_.front();
    html += tile(
        fmt::format("What dominates a {} launch?", l.temperature),
        l.longest_phase + ": " + share_text(l.longest_share),
        fmt::format(
            "of {}{}: {}{}",
            l.measured ? seconds_text(l.total->measured->median) : seconds_text(l.total->simulated),
            l.measured ? " measured" : " simulated", phase_in_words(l.longest_phase),
            l.second_phase.empty()
                ? ""
                : fmt::format(". Then {}: {}", l.second_phase, share_text(l.second_share))));
  }
  if (launches_.empty()) html += range_tile();
  const std::string question = "How far is the model off?";
  if (s.total_median_abs_relative_error)
    html += tile(
        question, percent_text(s.total_median_abs_relative_error),
        fmt::format("of a whole launch, median over the points; {} of a phase. This "
                    "machine disagrees with itself by {}.",
                    percent_text(s.median_abs_relative_error), percent_text(s.total_noise_floor)));
  else if (s.median_abs_relative_error)
    html += tile(question, percent_text(s.median_abs_relative_error),
                 fmt::format("median over {} judged predictions; nine in ten within {}", s.compared,
                             percent_text(s.p90_abs_relative_error)));
  else
    html += tile(question, "not known", "this run did not both predict and measure", "open");
  const bool partial = s.interrupted || !s.failures.empty();
  if (partial)
    html += tile("Verdict", "partial",
                 s.interrupted ? "the run was interrupted" : "something failed: see below", "bad");
  else if (s.amounts_equal == false)
    html += tile("Verdict", "amounts differ", "a defect in the plan or in the real path", "bad");
  else if (s.within_tolerance)
    html += tile("Verdict", *s.within_tolerance ? "within tolerance" : "not within tolerance",
                 std::string(*s.within_tolerance ? "times are as near as the experiment file asks"
                                                 : "times are further off than the experiment file "
                                                   "allows") +
                     (s.amounts_equal ? "; bytes, blocks and files are equal in both worlds" : ""),
                 *s.within_tolerance ? "good" : "bad");
  else
    html += tile("Verdict", "not judged", "nothing to compare", "open");
  return html + "</div>\n";
}

// From the least to the most of the metric that most points have.
std::string ReportWriter::range_tile() const {
  const std::vector<std::string> names = telling_metrics(result_, 1);
  if (names.empty()) return {};
  const auto value = [](const Metric& m) { return m.measured ? m.measured->median : *m.simulated; };
  std::vector<std::pair<const PointResult*, const Metric*>> all;
  for (const PointResult& point : result_.points)
    if (const Metric* m = find_metric(point, names[0]);
        m != nullptr && (m->measured || m->simulated))
      all.emplace_back(&point, m);
  const auto [least, most] = std::minmax_element(
      all.begin(), all.end(),
      [&](const auto& a, const auto& b) { return value(*a.second) < value(*b.second); });
  const std::string unit = least->second->unit;
  return tile(
      "How far apart are the points?",
      value_text(value(*least->second), unit) + " to " + value_text(value(*most->second), unit),
      fmt::format("{}{}: from {} to {}", names[0],
                  least->second->measured ? ", measured" : ", simulated", least->first->label,
                  most->first->label));
}

std::string ReportWriter::in_words() const {
  std::string html;
  if (launches_.empty()) return errors_in_words() + failures();
  for (const ShownLaunch& l : launches_) {
    std::string text = capitalised(l.temperature) + ": ";
    if (l.total->measured) text += seconds_text(l.total->measured->median) + " measured";
    if (l.total->measured && l.total->simulated) text += ", ";
    if (l.total->simulated) text += seconds_text(l.total->simulated) + " predicted";
    if (l.total->relative_error) text += " (" + percent_text(l.total->relative_error, true) + ")";
    text += fmt::format("; {} takes {}", l.longest_phase, share_text(l.longest_share));
    if (const Metric* own = find_metric(*l.point, "boot.application");
        own != nullptr && l.longest_phase == "boot") {
      const double value =
          l.measured && own->measured ? own->measured->median : own->simulated.value_or(0);
      const double total = l.measured ? l.total->measured->median : l.total->simulated.value_or(0);
      if (value > 0 && total > 0)
        text += fmt::format(" ({} is the application's own start, an input of the model)",
                            share_text(value / total));
    }
    if (!l.second_phase.empty())
      text += fmt::format(", {} {}", l.second_phase, share_text(l.second_share));
    if (const Metric* cost = find_metric(*l.point, kCost); cost != nullptr && cost->measured)
      text += "; the untrusted cache costs " + seconds_text(cost->measured->median);
    html += paragraph(text + ".");
  }
  const Summary& s = result_.summary;
  if (s.median_abs_relative_error && s.baseline_median_abs_relative_error)
    html += paragraph(fmt::format(
        "Phase by phase the prediction is off by {} (median; nine in ten "
        "within {}). A line over the bytes alone, fitted to the other "
        "points' measurements, gets {}.",
        percent_text(s.median_abs_relative_error), percent_text(s.p90_abs_relative_error),
        percent_text(s.baseline_median_abs_relative_error)));
  return html + failures();
}

// "switch: 14 predictions, off by 3.1 % (median)."
std::string ReportWriter::errors_in_words() const {
  std::vector<std::string> phases;
  std::map<std::string, std::vector<double>> sizes;
  for (const ErrorRow& row : judged_errors(result_)) {
    if (!sizes.contains(row.phase)) phases.push_back(row.phase);
    sizes[row.phase].push_back(std::abs(row.error));
  }
  std::string text;
  for (const std::string& phase : phases)
    text += fmt::format("{}{} {} ({} judged)",
                        text.empty() ? "The prediction is off, in the median, by: " : ", ", phase,
                        percent_text(median(sizes[phase])), sizes[phase].size());
  return text.empty() ? text : paragraph(text + ".");
}

std::string ReportWriter::failures() const {
  std::string html;
  const Summary& s = result_.summary;
  for (const std::string& difference : s.amount_differences)
    html += paragraph("Amounts differ: " + difference, "bad");
  for (const std::string& failure : s.failures) html += paragraph("Failed: " + failure, "bad");
  return html;
}

std::string ReportWriter::claims() const {
  if (result_.claims.empty()) return {};
  HtmlTable table(
      "Claims this experiment bears on",
      {"claim", "statement", "expected", "verdict", "why", "simulated", "measured [95 % interval]"},
      5);
  const auto at = [](const Json& json, const char* key) {
    return json.is_object() && json.contains(key) ? json[key] : Json();
  };
  const auto text = [&](const Json& json, const char* key) {
    const Json value = at(json, key);
    return value.is_string() ? value.get<std::string>() : std::string{"-"};
  };
  for (const Json& claim : result_.claims) {
    Claim shape;  // as much of it as its numbers need
    shape.unit = at(claim, "unit").is_string() ? claim["unit"].get<std::string>() : "1";
    if (at(claim, "kind") == "order") shape.kind = ClaimKind::order;
    const auto number = [&](const Json& value) {
      return value.is_number() ? claim_number(shape, value.get<double>()) : std::string{"-"};
    };
    const Json measured = at(claim, "measured"), simulated = at(claim, "simulated");
    const Json interval = at(measured, "ci95");
    std::string found = number(at(measured, "median"));
    if (interval.is_array() && interval.size() == 2 && interval[0] != interval[1])
      found += fmt::format(" [{}, {}]", number(interval[0]), number(interval[1]));
    const std::string verdict = text(claim, "verdict");
    table.add(
        {text(claim, "id"), text(claim, "statement"), text(at(claim, "reference"), "expected"),
         verdict, text(claim, "why"), number(simulated), found},
        verdict == "not reproduced" ? "miss" : "");
  }
  return table.html();
}

std::string ReportWriter::waterfalls() const {
  if (launches_.empty()) return {};
  double longest = 0;
  std::vector<std::vector<WaterfallRow>> all;
  for (const ShownLaunch& launch : launches_) {
    all.push_back(waterfall(launch));
    for (const WaterfallRow& row : all.back()) longest = std::max(longest, row.end);
  }
  std::string html =
      "<p>When each phase runs, <span class=\"key simulated\">simulated</span> above "
      "<span class=\"key measured\">measured</span>; all on one scale. The longest bar is what a "
      "launch waits for.</p>\n<div class=\"grid wide\">\n";
  for (std::size_t i = 0; i < launches_.size(); ++i) {
    const ShownLaunch& l = launches_[i];
    HtmlTable table(capitalised(l.temperature) + " launch, phase by phase",
                    {"phase", "what happens", "simulated", "measured [95 % interval]", "error",
                     "noise floor", "within tolerance"},
                    2);
    for (const Metric& m : l.point->metrics) {
      const bool empty = m.simulated.value_or(0) == 0 && (!m.measured || m.measured->median == 0);
      if (m.unit != "s" || empty || m.name.ends_with("_over_link")) continue;
      table.add({m.name, phase_in_words(m.name), value_text(m.simulated, m.unit),
                 measured_text(m.measured, m.unit), percent_text(m.relative_error, true),
                 m.measured ? percent_text(m.measured->noise_floor) : "-", verdict_of(m)},
                m.within_tolerance == false ? "miss"
                : m.name == kTotal          ? "sum"
                                            : "");
    }
    html += figure("waterfall-" + l.temperature,
                   fmt::format("{} launch: {} takes {}", capitalised(l.temperature),
                               l.longest_phase, share_text(l.longest_share)),
                   l.point->label + " (point " + l.point->id +
                       "). Measured: the launch whose total is the median; times beside the bars "
                       "are medians over all launches.",
                   waterfall_plot(all[i], longest), table.html());
  }
  return html + "</div>\n";
}

std::string ReportWriter::accuracy() const {
  const std::vector<ScatterRow> all = judged_pairs(result_);
  if (all.empty()) return {};
  const std::vector<ScatterRow> rows = spread(all, kMostPairs);
  const double floor = median_noise_floor(result_).value_or(0);
  HtmlTable table("Judged predictions",
                  {"metric", "point", "simulated", "measured", "error", "within"}, 2);
  for (const ScatterRow& row : spread(all, 300))
    table.add({row.metric, row.point, value_text(row.simulated, row.unit),
               value_text(row.measured, row.unit),
               percent_text((row.simulated - row.measured) / row.measured, true),
               row.within ? "yes" : "no"},
              row.within ? "" : "miss");
  return figure(
      "scatter", "Simulated against measured",
      fmt::format("{} of {} judged predictions in seconds. On the dashed line prediction and "
                  "measurement agree; within the grey band ({}, the median noise floor) this "
                  "machine disagrees with itself as much. Lines: 95 % intervals of the "
                  "measurement. Choose phases in the legend.",
                  rows.size(), all.size(), percent_text(floor)),
      scatter_plot(rows, floor), table.html());
}

std::string ReportWriter::errors_by_phase() const {
  const std::vector<ErrorRow> rows = judged_errors(result_);
  if (rows.empty()) return {};
  HtmlTable table("Error by phase", {"phase", "judged", "median error", "median of absolute errors",
                                     "largest", "outside tolerance", "bytes only, median"});
  std::vector<std::string> phases;
  for (const ErrorRow& row : rows)
    if (std::find(phases.begin(), phases.end(), row.phase) == phases.end())
      phases.push_back(row.phase);
  for (const std::string& phase : phases) {
    std::vector<double> errors, sizes, dumb;
    double largest = 0;
    std::size_t outside = 0;
    for (const ErrorRow& row : rows) {
      if (row.phase != phase) continue;
      errors.push_back(row.error);
      sizes.push_back(std::abs(row.error));
      if (std::abs(row.error) > std::abs(largest)) largest = row.error;
      if (row.baseline) dumb.push_back(std::abs(*row.baseline));
      outside += row.within ? 0 : 1;
    }
    table.add({phase, std::to_string(errors.size()), percent_text(median(errors), true),
               percent_text(median(sizes)), percent_text(largest, true), std::to_string(outside),
               dumb.empty() ? "-" : percent_text(median(dumb))},
              phase == kTotal ? "sum" : "");
  }
  const std::optional<double> allowed = allowed_error(result_);
  const bool dumb = std::any_of(rows.begin(), rows.end(),
                                [](const ErrorRow& r) { return r.baseline.has_value(); });
  return figure(
      "errors", "Error of the prediction, by phase",
      std::string("One diamond for each point; the black tick is the median.") +
          (allowed
               ? fmt::format(" Dashed: the tolerance of one prediction, {}.", percent_text(allowed))
               : "") +
          (dumb ? " Grey circles below: what a line over the bytes alone gets." : "") +
          fmt::format(" Errors beyond {:.0f} % are drawn at the edge.", kWidestError * 100),
      error_plot(spread(rows, kMostPairs), allowed), table.html());
}

std::string ReportWriter::distribution(const std::string& name, std::size_t index) const {
  std::vector<std::pair<const PointResult*, const Metric*>> all;
  for (const PointResult& point : result_.points) {
    const Metric* m = find_metric(point, name);
    if (m != nullptr && (m->measured || m->simulated)) all.emplace_back(&point, m);
  }
  if (all.empty()) return {};
  const auto shown = spread(all, kMostPointsDrawn);
  const std::string unit = shown.front().second->unit;
  HtmlTable table(name, {"point", "n", "measured median [95 % interval]", "simulated", "error"});
  std::vector<DistributionRow> rows;
  bool measured = false;
  std::size_t largest = 0;
  for (const auto& [point, metric] : shown) {
    rows.push_back(distribution_of(*point, *metric, observations_));
    const DistributionRow& row = rows.back();
    measured |= row.median.has_value();
    largest = std::max(largest, observations_.of(point->id, name).size());
    table.add(
        {row.label, row.median ? std::to_string(row.n) : "-", measured_text(metric->measured, unit),
         value_text(metric->simulated, unit), percent_text(metric->relative_error, true)},
        metric->within_tolerance == false ? "miss" : "");
  }
  std::string caption =
      measured ? "Ticks: observations; shaded: the middle half; circle and line: median and its 95 "
                 "% interval; diamond: simulated."
               : "Diamond: simulated; nothing was measured.";
  if (largest > kMostValuesDrawn)
    caption +=
        fmt::format(" Of up to {} observations {} quantiles are drawn.", largest, kMostValuesDrawn);
  if (shown.size() < all.size())
    caption += fmt::format(" {} of {} points, evenly spread.", shown.size(), all.size());
  std::string html = figure(fmt::format("distribution-{}", index), name, caption,
                            distribution_plot(rows, unit), table.html());
  if (index == 0 && largest >= 20) {
    std::vector<DistributionRow> lines;
    for (const DistributionRow& row : spread(rows, 6))
      if (row.values.size() >= 20) lines.push_back(row);
    html += figure("cdf", name + ": distribution functions",
                   "Share of the observations at or below a value; up to six points.",
                   cdf_plot(lines, unit), {});
  }
  return html;
}

std::string ReportWriter::distributions() const {
  std::string html;
  std::size_t index = 0;
  for (const std::string& name : telling_metrics(result_, kMostDistributions))
    html += distribution(name, index++);
  if (html.empty()) return {};
  return "<p>Every repetition, not only its mean; all metrics are in "
         "<code>observations.csv</code>.</p>\n<div class=\"grid\">\n" +
         html + "</div>\n";
}

std::string ReportWriter::all_points() const {
  HtmlTable table("Every metric that has a time or a judgement",
                  {"point", "values", "metric", "simulated", "measured [95 % interval]", "error",
                   "noise floor", "within"},
                  3);
  std::size_t rows = 0, left_out = 0;
  for (const PointResult& point : result_.points)
    for (const Metric& m : point.metrics) {
      const bool whole =
          launches_.empty() || m.name == kTotal || m.name == kNativeTwin || m.name == kCost;
      if (!whole) continue;
      if (rows == kMostRows) {
        ++left_out;
        continue;
      }
      ++rows;
      table.add({point.id, point.label, m.name, value_text(m.simulated, m.unit),
                 measured_text(m.measured, m.unit), percent_text(m.relative_error, true),
                 m.measured ? percent_text(m.measured->noise_floor) : "-", verdict_of(m)},
                m.within_tolerance == false ? "miss" : "");
    }
  if (table.empty()) return {};
  std::string html = "<details><summary>" + fmt::format("{} rows", rows) + "</summary>\n" +
                     table.html() + "</details>\n";
  if (left_out > 0)
    html += paragraph(fmt::format("{} further rows are in result.json only.", left_out), "soft");
  return html;
}

std::vector<Section> ReportWriter::sections() const {
  std::vector<Section> all{
      {"phases", "Where the time goes", waterfalls()},
      {"accuracy", "How far the model is off", accuracy() + errors_by_phase()},
      {"claims", "Claims", claims()},
      {"distributions", "Distributions", distributions()},
      {"limits", "What these numbers do not say", limits()},
      {"points", "All points", all_points()},
      {"parameters", "Parameters behind the simulation", parameters()},
      {"host", "The host", host()},
      {"configuration", "The effective configuration", configuration()},
  };
  std::erase_if(all, [](const Section& section) { return section.html.empty(); });
  return all;
}

}  // namespace missive::harness
