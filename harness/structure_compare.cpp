#include "harness/structure_compare.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace missive::harness {

namespace {

using Optional = std::optional<Predicted>;

// The part of a measured number that is its own: a count has no spread.
Measured counted_as(double value) { return {value, value, value, 1, std::nullopt}; }

// Their mean, and what 19 of 20 such means lie between if counts are normal and at least eight.
Measured mean_counted(const std::vector<double>& counts) {
  const auto n = static_cast<double>(counts.size());
  double mean = 0, squares = 0;
  for (const double c : counts) mean += c / n;
  for (const double c : counts) squares += (c - mean) * (c - mean);
  constexpr double kStudent = 2.365;  // of seven degrees of freedom, 0.975
  const double half = n < 2 ? 0 : kStudent * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - half, mean + half, counts.size(), std::nullopt};
}

std::string unit_of(const std::string& name) {
  const bool number =
      name == "units" || name == "start_blocks" || name == "scrap_items" || name == "items";
  return number ? "1" : "B";
}

// Sums of two answers; exact when both are. What is drawn is in one of them.
Optional sum(const Optional& a, const Optional& b) {
  if (!a || !b) return std::nullopt;
  Predicted s{a->value + b->value, a->exact && b->exact};
  const Predicted& drawn = a->spread ? *a : *b;
  if (drawn.spread) {
    const double other = s.value - drawn.value;
    s.spread = {drawn.spread->first + other, drawn.spread->second + other};
  }
  return s;
}

bool from_edits(const std::string& name) {
  const auto& numbers = update_numbers();
  return name == "cost" || std::find(numbers.begin(), numbers.end(), name) != numbers.end();
}

std::string note_of(const std::string& name, const Predicted& p, const SeenChanges& seen) {
  if (p.exact) return "exact";
  std::string note = "expectation";
  if (p.spread)
    note += fmt::format("; 90 % of draws: {:.0f} to {:.0f}", p.spread->first, p.spread->second);
  if (name.ends_with("_seen"))
    note += fmt::format("; {} of {} changed files were seen in other applications", seen.seen,
                        seen.changed);
  return note;
}

// All that is said of an image, in the order of results.
const std::vector<std::string>& all_numbers() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names{
        "content", "metadata",     "padding",     "image", "units",       "recipe",     "tree",
        "proof",   "start_blocks", "start_proof", "items", "scrap_items", "scrap_bytes"};
    names.insert(names.end(), update_numbers().begin(), update_numbers().end());
    names.emplace_back("cost");
    return names;
  }();
  return all;
}

bool near(const Optional& p, double value, double tolerance) {
  if (std::abs(p->value - value) <= tolerance * value) return true;
  return p->spread && value >= p->spread->first && value <= p->spread->second;
}

std::map<std::string, Optional> by_name(const StructurePrediction& p, double content) {
  return {{"content", Predicted{content, true}},
          {"metadata", p.metadata},
          {"padding", p.padding},
          {"image", p.image},
          {"units", p.units},
          {"recipe", p.recipe},
          {"tree", p.tree},
          {"proof", p.proof},
          {"scrap_items", p.scrap_items},
          {"start_blocks", p.start_blocks},
          {"start_proof", p.start_proof},
          {"network", p.network},
          {"copied", p.copied},
          {"network_seen", p.network_seen},
          {"copied_seen", p.copied_seen},
          {"network_told", p.network_told},
          {"copied_told", p.copied_told},
          {"cost", sum(p.recipe, p.network ? p.network : p.image)}};
}

}  // namespace

const std::vector<std::string>& update_numbers() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> names{"network", "copied"};
    for (const std::string_view further : kFurther)
      for (const char* name : {"network", "copied"}) names.push_back(name + std::string(further));
    names.insert(names.end(), {"network_mean", "copied_mean"});
    return names;
  }();
  return all;
}

void compare_structure(const StructurePoint& point, const StructureSettings& settings,
                       const StructurePrediction* predicted, const StructureCounts& counted,
                       double content, PointResult& result) {
  std::map<std::string, double> real = counted.of_image;
  std::map<std::string, Measured> means;
  if (!real.empty())
    real["cost"] = real.at("recipe") + (real.contains("network") ? real["network"] : real["image"]);
  std::map<std::string, Optional> model;
  if (predicted != nullptr) model = by_name(*predicted, content);
  for (const std::string name : {"network", "copied"})
    for (const std::string_view further : kFurther)
      if (const std::string of = name + std::string(further);
          real.contains(name) && model[of].has_value())
        real[of] = real.at(name);
  for (const auto& [name, counts] :
       {std::pair<std::string, const std::vector<double>&>{"network", counted.network},
        {"copied", counted.copied}}) {
    if (counts.empty()) continue;
    const std::string of = name + "_mean";
    means[of] = mean_counted(counts);
    real[of] = means[of].median;
    if (!model[name]) continue;
    model[of] = Predicted{model[name]->value};  // its interval is that of one draw, not of a mean
  }
  const bool fitted = settings.fitted(point);
  for (const std::string& name : all_numbers()) {
    Metric m;
    m.name = name;
    m.phase = "total";
    m.unit = unit_of(name);
    bool exact = false;
    if (const auto at = model.find(name); at != model.end() && at->second) {
      m.simulated = at->second->value;
      exact = at->second->exact;
      m.note = note_of(name, *at->second, predicted->seen);
      m.simulated_interval = at->second->spread;
      m.provenance = "measured";
    }
    if (const auto at = real.find(name); at != real.end())
      m.measured = means.contains(name) ? means[name] : counted_as(at->second);
    if (!m.simulated && !m.measured) continue;
    if (m.simulated && m.measured) {
      const double value = m.measured->median;
      if (value != 0)
        m.relative_error = (*m.simulated - value) / value;
      else if (*m.simulated == 0)
        m.relative_error = 0;
      if (exact)
        m.within_tolerance = *m.simulated == value;
      else if (name == "start_proof")
        m.note = "expectation; not judged: it is given the counted gaps between the start's blocks";
      else if (fitted && from_edits(name))
        m.note += "; not judged: the model was fitted on this image";
      else
        m.within_tolerance = near(model.at(name), value, settings.tolerance);
    }
    result.metrics.push_back(std::move(m));
  }
}

void summarise_structure(const StructureSettings& settings, Result& result) {
  std::vector<double> errors;
  std::size_t misses = 0;
  Summary& s = result.summary;
  for (const PointResult& point : result.points)
    for (const Metric& m : point.metrics) {
      if (!m.within_tolerance) continue;
      if (m.note == "exact") {
        s.amounts_equal = s.amounts_equal.value_or(true) && *m.within_tolerance;
        if (!*m.within_tolerance)
          s.amount_differences.push_back(fmt::format("{}: {}: {:.0f} predicted, {:.0f} counted",
                                                     point.label, m.name, *m.simulated,
                                                     m.measured->median));
        continue;
      }
      errors.push_back(std::abs(m.relative_error.value_or(1)));
      misses += !*m.within_tolerance;
    }
  summarise_errors(errors, s);
  if (errors.empty()) return;
  s.within_tolerance =
      static_cast<double>(misses) <= (1 - settings.share) * static_cast<double>(errors.size());
}

}  // namespace missive::harness
