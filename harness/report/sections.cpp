// The sections with plots: what came out. Those about how it came about are in provenance.cpp.

#include "harness/report/sections.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "harness/claims.h"
#include "harness/compare_metrics.h"
#include "harness/report/glossary.h"
#include "harness/report/html.h"
#include "harness/report/judging.h"
#include "harness/report/pieces.h"
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

std::string verdict_detail(const Summary& s, const std::string& decisive) {
  std::string text = !decisive.empty() ? decisive
                     : *s.within_tolerance
                         ? "numbers are as near as the experiment file asks"
                         : "numbers are further off than the experiment file allows";
  if (s.amounts_equal) text += "; what is counted and predicted exactly is equal in both worlds";
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

// What the marks are, and how many lie beyond the axis.
std::string error_caption(const std::vector<ErrorRow>& rows, const Tolerances& allowed) {
  const double reach = error_reach(rows, allowed);
  std::size_t beyond = 0, dumb = 0, dumb_beyond = 0;
  for (const ErrorRow& row : rows) {
    beyond += std::abs(row.error) > reach ? 1 : 0;
    dumb += row.baseline ? 1 : 0;
    dumb_beyond += row.baseline && std::abs(*row.baseline) > reach ? 1 : 0;
  }
  std::string text = "One diamond for each point; the black tick is the median.";
  if (!allowed.empty()) text += " Grey ticks: the tolerance of a single prediction.";
  if (dumb > 0) text += " Grey circles below: what the predictor \"bytes only\" gets.";
  if (beyond + dumb_beyond > 0) {
    text += fmt::format(" At the edge stand errors beyond {:.0f} %: ", reach * 100);
    if (beyond > 0) text += fmt::format("{} of the model", beyond);
    if (beyond > 0 && dumb_beyond > 0) text += ", ";
    if (dumb_beyond > 0) text += fmt::format("{} of \"bytes only\"", dumb_beyond);
    text += "; their values are in the table below and in result.json.";
  }
  return text;
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
    const std::string application = l.point->parameters.value("application", std::string{});
    html += tile(
        fmt::format("What dominates a {} launch{}?", l.temperature,
                    application.empty() ? "" : " of " + application),
        l.longest_phase + ": " + share_text(l.longest_share),
        fmt::format(
            "of {}{}: {}{}",
            l.measured ? seconds_text(l.total->measured->median) : seconds_text(l.total->simulated),
            l.measured ? " measured" : " simulated", phase_in_words(l.longest_phase),
            l.second_phase.empty()
                ? ""
                : fmt::format(". Then {}: {}", l.second_phase, share_text(l.second_share))));
  }
  if (launches_.empty()) html += answer_tile();
  const std::string question = "How far is the model off?";
  const std::optional<double> floor = median_noise_floor(result_);
  if (s.total_median_abs_relative_error)
    html += tile(
        question, percent_text(s.total_median_abs_relative_error),
        fmt::format("of a whole launch, median over the points (noise floor of whole launches: "
                    "{}); {} of a phase (noise floor of phases: {})",
                    percent_text(s.total_noise_floor), percent_text(s.median_abs_relative_error),
                    percent_text(floor)));
  else if (s.median_abs_relative_error)
    html += tile(question, percent_text(s.median_abs_relative_error),
                 fmt::format("median over {} judged predictions; nine in ten within {}{}",
                             s.compared, percent_text(s.p90_abs_relative_error),
                             floor ? "; noise floor " + percent_text(floor) : ""));
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
                 verdict_detail(s, decisive_errors(result_)), *s.within_tolerance ? "good" : "bad");
  else
    html += tile("Verdict", "not judged", "nothing to compare", "open");
  return html + "</div>\n";
}

// The kind's own answer; where it has none, from the least to the most of the most telling metric.
std::string ReportWriter::answer_tile() const {
  if (!kind_.answer.answer.empty())
    return tile(kind_.answer.question, kind_.answer.answer, kind_.answer.detail);
  const std::vector<std::string> names = telling_metrics(result_, 1, kind_.answer.metrics);
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
  if (launches_.empty()) return errors_in_words() + busy_warning() + failures();
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
        text += fmt::format(" of it ({}: the application's own start, an input of the model)",
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
        "within {}). A predictor that knows only the bytes moved (\"bytes only\") is off by {}.",
        percent_text(s.median_abs_relative_error), percent_text(s.p90_abs_relative_error),
        percent_text(s.baseline_median_abs_relative_error)));
  return html + busy_warning() + failures();
}

// A miss on a host that had other work may be the host's.
std::string ReportWriter::busy_warning() const {
  const std::string busy = busy_in_words(result_);
  return busy.empty() || result_.summary.within_tolerance != false ? "" : paragraph(busy, "bad");
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
    // What is not judged here may have figures all the same: they are this host's.
    const bool judged = verdict != "not run here" && verdict != "not supported";
    const auto whose = [&](const std::string& figure) {
      return judged || figure == "-" ? figure : "here: " + figure;
    };
    table.add(
        {text(claim, "id"), text(claim, "statement"), text(at(claim, "reference"), "expected"),
         verdict, text(claim, "why"), whose(number(simulated)), whose(found)},
        verdict == "not reproduced" ? "miss"
        : judged                    ? ""
                                    : "weak");
  }
  return paragraph(
             "Statements of others and of this project that this experiment has a number for. All "
             "figures simulated and measured are of this run, on this host. \"not run here\": the "
             "statement is about another machine, or about more than this run tried, so that its "
             "figures (\"here: ...\") do not decide it.") +
         table.html();
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
  const std::string shown = rows.size() == all.size()
                                ? fmt::format("{} judged times", all.size())
                                : fmt::format("{} of {} judged times", rows.size(), all.size());
  return figure(
      "scatter", "Simulated against measured",
      fmt::format(
          "{}. On the dashed line prediction and measurement agree; the grey band is the "
          "noise floor{} ({}): within it this machine disagrees with itself as much. Lines: "
          "95 % intervals of the measurement. Choose phases in the legend.",
          shown, result_.summary.total_noise_floor ? " of phases" : "", percent_text(floor)),
      scatter_plot(rows, floor), table.html());
}

std::string ReportWriter::answer() const {
  if (kind_.table.empty()) return {};
  std::string html;
  if (kind_.answer.sentences.size() > 0) {
    html += "<ul>\n";
    for (const std::string& sentence : kind_.answer.sentences)
      html += "<li>" + html_escape(sentence) + "</li>\n";
    html += "</ul>\n";
  }
  if (const auto& plot = kind_.answer.plot) {
    HtmlTable table(plot->title, {"of", "at", "value"}, 2);
    for (const AnswerPoint& p : plot->points) table.add({p.series, p.x, p.text});
    html += figure("answer-plot", plot->title, plot->caption, answer_plot(*plot), table.html());
  }
  return html + "<pre class=\"printed\" tabindex=\"0\" role=\"region\" aria-label=\"" +
         html_escape("The table as the program prints it") + "\">" + html_escape(kind_.table) +
         "</pre>\n";
}

std::string ReportWriter::words() const {
  const std::vector<Term> terms = glossary(result_, kind_.answer.words);
  if (terms.empty()) return {};
  std::string html = "<dl class=\"words\">\n";
  for (const Term& term : terms)
    html += "<div><dt>" + html_escape(term.word) + "</dt><dd>" + html_escape(term.meaning) +
            "</dd></div>\n";
  return html + "</dl>\n";
}

std::string ReportWriter::judging() const {
  const std::string text = judged_in_words(result_);
  return text.empty() ? text : paragraph(text);
}

std::string ReportWriter::errors_by_phase() const {
  const std::vector<ErrorRow> rows = judged_errors(result_);
  if (rows.empty()) return {};
  HtmlTable table("Error by phase",
                  {"phase", "judged", "median error", "median of absolute errors", "largest",
                   "outside tolerance", "bytes only, median", "bytes only, largest"});
  std::vector<std::string> phases;
  for (const ErrorRow& row : rows)
    if (std::find(phases.begin(), phases.end(), row.phase) == phases.end())
      phases.push_back(row.phase);
  for (const std::string& phase : phases) {
    std::vector<double> errors, sizes, dumb;
    double largest = 0, dumb_largest = 0;
    std::size_t outside = 0;
    for (const ErrorRow& row : rows) {
      if (row.phase != phase) continue;
      errors.push_back(row.error);
      sizes.push_back(std::abs(row.error));
      if (std::abs(row.error) > std::abs(largest)) largest = row.error;
      if (row.baseline) {
        dumb.push_back(std::abs(*row.baseline));
        if (dumb.back() > std::abs(dumb_largest)) dumb_largest = *row.baseline;
      }
      outside += row.within ? 0 : 1;
    }
    table.add({phase, std::to_string(errors.size()), percent_text(median(errors), true),
               percent_text(median(sizes)), percent_text(largest, true), std::to_string(outside),
               dumb.empty() ? "-" : percent_text(median(dumb)),
               dumb.empty() ? "-" : percent_text(dumb_largest, true)},
              phase == kTotal ? "sum" : "");
  }
  Tolerances allowed;
  for (const std::string& phase : phases)
    if (const auto limit = allowed_error(result_, phase)) allowed[phase] = *limit;
  return figure("errors", "Error of the prediction, by phase", error_caption(rows, allowed),
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
  for (const std::string& name : telling_metrics(result_, kMostDistributions, kind_.answer.metrics))
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
      {"answer", "The answer", answer()},
      {"accuracy", "How far the model is off", judging() + accuracy() + errors_by_phase()},
      {"claims", "Claims", claims()},
      {"words", "Words on this page", words()},
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
