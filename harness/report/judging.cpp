#include "harness/report/judging.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "harness/compare_metrics.h"
#include "harness/report/answers.h"

namespace missive::harness {
namespace {

std::optional<double> number_at(const Result& result, const char* pointer) {
  const Json::json_pointer at(pointer);
  if (!result.effective.is_object() || !result.effective.contains(at) ||
      !result.effective[at].is_number())
    return std::nullopt;
  return result.effective[at].get<double>();
}

struct Counts {
  std::size_t phases = 0, launches = 0, outside = 0;
  std::size_t long_for_short = 0;  // predicted as long, measured as too short to be judged
  std::size_t all() const { return phases + launches; }
};

bool is_launch(const Result& result) { return result.kind == "launch" || result.kind.empty(); }

// Of what is judged by a tolerance: what has to be equal is not.
Counts count_judged(const Result& result) {
  Counts counts;
  for (const PointResult& point : result.points)
    for (const Metric& m : point.metrics) {
      if (!m.within_tolerance || m.note == "exact") continue;
      if (is_launch(result) && !is_judged_time(m)) continue;
      ++(m.name == kTotal ? counts.launches : counts.phases);
      counts.outside += *m.within_tolerance ? 0 : 1;
      counts.long_for_short += is_launch(result) && !*m.within_tolerance && !m.note.empty() ? 1 : 0;
    }
  return counts;
}

std::string kept(bool holds) { return holds ? "kept" : "not kept"; }

std::string number_of(std::size_t n, const char* one, const char* many) {
  return fmt::format("{} {}", n, n == 1 ? one : many);
}

std::string outside_in_words(const Counts& counts) {
  if (counts.outside == 0) return "None lies outside its tolerance.";
  return fmt::format("{} of {} {} outside (red in the plots).", counts.outside, counts.all(),
                     counts.outside == 1 ? "lies" : "lie");
}

std::string launch_in_words(const Result& result, const Counts& counts) {
  const Summary& s = result.summary;
  const auto phase = number_at(result, "/tolerance/phase");
  const auto total = number_at(result, "/tolerance/total");
  if (!phase || !total) return {};
  std::string shortest;
  const Json::json_pointer at("/tolerance/shortest_phase");
  if (result.effective.contains(at) && result.effective[at].is_string())
    shortest = " that took longer than " + result.effective[at].get<std::string>();
  std::string text = fmt::format(
      "Judged are {}{}, and {}. A phase may be off by {}, a whole launch by {}; where the noise "
      "floor of that value is larger, by as much as that. {}",
      number_of(counts.phases, "phase", "phases"), shortest,
      number_of(counts.launches, "whole launch", "whole launches"), percent_text(phase),
      percent_text(total), outside_in_words(counts));
  text += counts.long_for_short == 0
              ? " The run is judged by its medians, so points outside do not fail it by themselves"
              : fmt::format(
                    " The run is judged by its medians, and fails for {} predicted as long "
                    "and measured as too short to be judged",
                    number_of(counts.long_for_short, "phase", "phases"));
  if (s.median_abs_relative_error)
    text += fmt::format("; phases: {} of {} allowed, {}", percent_text(s.median_abs_relative_error),
                        percent_text(phase), kept(*s.median_abs_relative_error <= *phase));
  if (s.total_median_abs_relative_error) {
    const double limit = std::max(*total, s.total_noise_floor.value_or(0));
    text += fmt::format("; whole launches: {} of {} allowed, {}",
                        percent_text(s.total_median_abs_relative_error), percent_text(limit),
                        kept(*s.total_median_abs_relative_error <= limit));
  }
  return text + ".";
}

std::string nine_in_ten(const Result& result, const Counts& counts) {
  const auto most = number_at(result, "/tolerance/most");
  const auto middle = number_at(result, "/tolerance/median");
  if (!most || !middle || !result.summary.median_abs_relative_error) return {};
  const double share = 1 - static_cast<double>(counts.outside) / static_cast<double>(counts.phases);
  return fmt::format(
      "Judged are {} that were predicted and measured. One may be off by {}, or by its noise floor "
      "where that is larger. {} The run is within tolerance when the median error is at most {} "
      "(it is {}: {}) and nine in ten keep theirs (it is {}: {}), so points outside do not "
      "fail it.",
      number_of(counts.phases, "time", "times"), percent_text(most), outside_in_words(counts),
      percent_text(middle), percent_text(result.summary.median_abs_relative_error),
      kept(*result.summary.median_abs_relative_error <= *middle), percent_text(share),
      kept(counts.outside * 10 <= counts.phases));
}

std::string statistical(const Result& result, const Counts& counts) {
  const auto each = number_at(result, "/tolerance/statistical");
  const auto share = number_at(result, "/tolerance/share");
  if (!each || !share) return {};
  return fmt::format(
      "Numbers are counted, not timed. Exact predictions have to be equal. Of the {} {} may be off "
      "by {}, and {} of them have to be within that. {}",
      number_of(counts.phases, "statistical prediction", "statistical predictions"),
      counts.phases == 1 ? "it" : "each", percent_text(each), share_text(*share),
      outside_in_words(counts));
}

std::string all_of_them(const Result& result, const Counts& counts) {
  const auto each = number_at(result, "/tolerance");
  if (!each) return {};
  return fmt::format(
      "Numbers are counted, not timed. Exact predictions have to be equal; {} over random orders "
      "may be off by {}, or lie in the interval of what was counted. {}",
      number_of(counts.phases, "expectation", "expectations"), percent_text(each),
      outside_in_words(counts));
}

}  // namespace

bool is_judged_time(const Metric& m) {
  return m.unit == "s" && m.simulated && m.measured && m.within_tolerance && m.relative_error;
}

std::optional<double> allowed_error(const Result& result, const std::string& phase) {
  if (phase == kTotal)
    if (const auto total = number_at(result, "/tolerance/total")) return total;
  for (const char* pointer : {"/tolerance/phase", "/tolerance/most"})
    if (const auto allowed = number_at(result, pointer)) return allowed;
  return std::nullopt;
}

std::string judged_in_words(const Result& result) {
  const Counts counts = count_judged(result);
  if (counts.all() == 0) return {};
  for (const auto words : {launch_in_words, nine_in_ten, statistical, all_of_them})
    if (std::string text = words(result, counts); !text.empty()) return text;
  return {};
}

std::string decisive_errors(const Result& result) {
  const Summary& s = result.summary;
  std::string text;
  const auto add = [&](std::optional<double> error, const char* of, std::optional<double> allowed) {
    if (!error || !allowed) return;
    text += fmt::format("{}{}{} ({} allowed)", text.empty() ? "" : ", ", percent_text(error), of,
                        percent_text(allowed));
  };
  if (const auto total = number_at(result, "/tolerance/total"))
    add(s.total_median_abs_relative_error, " of a launch",
        std::max(*total, s.total_noise_floor.value_or(0)));
  add(s.median_abs_relative_error, " of a phase", number_at(result, "/tolerance/phase"));
  add(s.median_abs_relative_error, "", number_at(result, "/tolerance/median"));
  if (!text.empty()) return "median error " + text;
  const auto each = number_at(result, "/tolerance/statistical");
  const auto share = number_at(result, "/tolerance/share");
  const Counts counts = count_judged(result);
  if (!each || !share || counts.all() == 0) return {};
  return fmt::format(
      "{} of the statistical predictions are within {} ({} have to be)",
      share_text(1 - static_cast<double>(counts.outside) / static_cast<double>(counts.all())),
      percent_text(each), share_text(*share));
}

}  // namespace missive::harness
