#include "harness/structure_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "harness/progress.h"
#include "harness/structure_facts.h"
#include "harness/structure_tree.h"
#include "models/error.h"
#include "models/statistics.h"
#include "real/process.h"
#include "real/zar/compare.h"
#include "real/zar/plan_counts.h"

namespace missive::harness {

namespace {

namespace fs = std::filesystem;

// Lengths of the stretches of other blocks between, before and behind these.
std::vector<std::uint64_t> gaps_of(const std::vector<std::uint64_t>& blocks, std::uint64_t all) {
  std::vector<std::uint64_t> gaps;
  std::uint64_t next = 0;
  for (const std::uint64_t block : blocks) {
    if (block > next) gaps.push_back(block - next);
    next = block + 1;
  }
  if (all > next) gaps.push_back(all - next);
  return gaps;
}

class StructureRun {
 public:
  StructureRun(const Experiment& e, const RunOptions& options)
      : e_(e),
        settings_(structure_settings(e)),
        options_(options),
        result_(empty_result(e)),
        trees_(wants_content()) {}

  Result run() {
    std::size_t done = 0;
    try {
      for (std::size_t i = 0; i < settings_.points.size(); ++i) {
        check_interrupt();
        if (options_.progress)
          options_.progress->update(done++, settings_.points.size(), settings_.points[i].label);
        point(i);
        if (options_.checkpoint) options_.checkpoint(result_);
      }
    } catch (const Interrupted&) {
      result_.summary.interrupted = true;
    }
    summarise_structure(settings_, result_);
    return std::move(result_);
  }

 private:
  bool wants_content() const {
    return std::any_of(settings_.points.begin(), settings_.points.end(), [](const auto& p) {
      return !p.from.empty() || p.design.placement == "stable" || p.design.units == "cdc";
    });
  }

  bool wants_digests() const {
    return std::any_of(settings_.points.begin(), settings_.points.end(),
                       [](const auto& p) { return !p.from.empty(); });
  }

  void point(std::size_t i) {
    const StructurePoint& p = settings_.points[i];
    try {
      const StructureTree& to = trees_.get(p.to);
      const StructureTree* const from = p.from.empty() ? nullptr : &trees_.get(p.from);
      const StructureFacts& facts = facts_for(p.from, p.to);
      StructurePrediction predicted;
      if (e_.backend != Backend::real) predicted = predict(p, facts);
      std::map<std::string, double> counted;
      if (e_.backend != Backend::sim) counted = count(p, to, from, predicted);
      compare_structure(p, settings_, e_.backend == Backend::real ? nullptr : &predicted, counted,
                        static_cast<double>(content_of(facts)), result_.points[i]);
      for (const Metric& m : result_.points[i].metrics) {
        if (m.simulated)
          result_.observations.push_back({p.id, "sim", m.phase, m.name, m.unit, 0, *m.simulated});
        if (m.measured)
          result_.observations.push_back(
              {p.id, "real", m.phase, m.name, m.unit, 0, m.measured->median});
      }
    } catch (const NotAvailable& e) {
      add_once(result_.summary.not_available, e.what());
    } catch (const RunError& e) {
      result_.summary.failures.push_back(p.label + ": " + e.what());
    }
  }

  static void add_once(std::vector<std::string>& list, const std::string& line) {
    if (std::find(list.begin(), list.end(), line) == list.end()) list.push_back(line);
  }
  static std::uint64_t content_of(const StructureFacts& facts) {
    std::uint64_t bytes = 0;
    for (const FileFact& f : facts.files) bytes += f.size;
    return bytes;
  }

  const StructureFacts& facts_for(const std::string& from, const std::string& to) {
    const auto [at, fresh] = facts_.try_emplace({from, to});
    if (fresh)
      at->second = structure_facts(trees_.get(to), from.empty() ? nullptr : &trees_.get(from),
                                   wants_digests());
    return at->second;
  }

  // How the files of the images that are fitted on changed: those of invented updates for invented
  // ones, others for others; and not what the image itself holds, unless it is one of them.
  const std::vector<EditProfile>& profiles_for(const StructurePoint& p,
                                               const StructureFacts& facts) {
    const auto [at, fresh] = profiles_.try_emplace({p.from, p.to});
    if (!fresh) return at->second;
    for (const auto& [from, to] : settings_.fit_images)
      if (invented(to) == invented(p.to)) {
        const auto more = edit_profiles(trees_.get(from), trees_.get(to));
        at->second.insert(at->second.end(), more.begin(), more.end());
      }
    if (!settings_.fitted(p)) at->second = of_others(at->second, facts);
    return at->second;
  }

  StructurePrediction predict(const StructurePoint& p, const StructureFacts& facts) {
    StructurePrediction predicted = predict_structure(facts, p.design);
    if (p.from.empty()) return predicted;
    const UpdatePrediction update =
        predict_update(facts_for("", p.from), facts, p.design, profiles_for(p, facts));
    predicted.network = update.network, predicted.copied = update.copied;
    return predicted;
  }

  // The recipe of an image, built for it; once for each.
  const zar::Recipe& recipe_of(const std::string& name, const StructureTree& tree,
                               const StructureDesign& d) {
    const std::string key =
        fmt::format("{} {} {} {} {}", name, d.block_size, d.packing, d.placement, d.units);
    const auto [at, fresh] = recipes_.try_emplace(key);
    if (fresh) {
      const fs::path image = options_.out / "structure.zar.tmp";
      auto options = build_options(d);
      options.progress = [](std::uint64_t, std::uint64_t) { check_interrupt(); };
      at->second = zar::build(tree.root, tree.selection, options, image).recipe;
      std::error_code ignored;
      fs::remove(image, ignored);
    }
    return at->second;
  }

  std::map<std::string, double> count(const StructurePoint& p, const StructureTree& to,
                                      const StructureTree* from, StructurePrediction& predicted) {
    const StructureDesign& d = p.design;
    const zar::PlanCounts c = zar::count_plan(to.root, to.selection, build_options(d));
    const bool build = from != nullptr || d.units == "cdc";
    std::uint64_t units = c.image / d.block_size;
    if (d.units == "strings") units = (c.metadata + d.block_size - 1) / d.block_size + c.items;
    if (build) units = recipe_of(p.to, to, d).leaves.size();
    const double record = d.units == "blocks" ? 32 : 40;
    std::map<std::string, double> m;
    const auto put = [&](const std::string& name, auto value) {
      m[name] = static_cast<double>(value);
    };
    const auto degree = static_cast<std::uint32_t>(d.degree);
    put("content", c.content);
    put("metadata", c.metadata);
    put("padding", c.padding);
    put("image", c.image);
    put("units", units);
    put("recipe", 32 + record * static_cast<double>(units));
    put("tree", zar::inner_nodes(units, degree) * 32);
    put("proof", zar::proof_digests(units, degree) * 32);
    if (d.placement == "stable") {
      put("scrap_items", c.scrap_items);
      put("scrap_bytes", c.scrap_bytes);
      put("items", c.items);
    }
    if (!c.start_blocks.empty() && d.units == "blocks") {
      put("start_blocks", c.start_blocks.size());
      const std::uint64_t proof = zar::partial_proof_digests(c.start_blocks, units, degree);
      put("start_proof", proof * 32);
      predicted.start_proof = Predicted{
          partial_proof(units, c.start_blocks.size(), gaps_of(c.start_blocks, units), d.degree) *
              32,
          false};
    }
    if (from != nullptr) {
      const zar::Comparison x = zar::compare(recipe_of(p.from, *from, d), recipe_of(p.to, to, d));
      put("network", x.network.bytes);
      put("copied", x.copies().bytes);
    }
    return m;
  }

  const Experiment& e_;
  const StructureSettings& settings_;
  const RunOptions& options_;
  Result result_;
  StructureTrees trees_;
  std::map<std::pair<std::string, std::string>, StructureFacts> facts_;
  std::map<std::pair<std::string, std::string>, std::vector<EditProfile>> profiles_;
  std::map<std::string, zar::Recipe> recipes_;
};

using Optional = std::optional<Predicted>;

// The part of a measured number that is its own: a count has no spread.
Measured counted_as(double value) { return {value, value, value, 1, std::nullopt}; }

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

bool from_edits(std::string_view name) {
  return name == "network" || name == "copied" || name == "cost";
}

std::string note_of(const Predicted& p) {
  if (p.exact) return "exact";
  if (!p.spread) return "expectation";
  return fmt::format("{}{:.0f} to {:.0f}", kDrawnNote, p.spread->first, p.spread->second);
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
          {"cost", sum(p.recipe, p.network ? p.network : p.image)}};
}

}  // namespace

Result run_structure(const Experiment& experiment, const RunOptions& options) {
  return StructureRun(experiment, options).run();
}

void compare_structure(const StructurePoint& point, const StructureSettings& settings,
                       const StructurePrediction* predicted,
                       const std::map<std::string, double>& counted, double content,
                       PointResult& result) {
  std::map<std::string, double> real = counted;
  if (!real.empty())
    real["cost"] = real.at("recipe") + (real.contains("network") ? real["network"] : real["image"]);
  std::map<std::string, Optional> model;
  if (predicted != nullptr) model = by_name(*predicted, content);
  const bool fitted = settings.fitted(point);
  for (const char* name : {"content", "metadata", "padding", "image", "units", "recipe", "tree",
                           "proof", "start_blocks", "start_proof", "items", "scrap_items",
                           "scrap_bytes", "network", "copied", "cost"}) {
    Metric m;
    m.name = name;
    m.phase = "total";
    m.unit = unit_of(name);
    bool exact = false;
    if (const auto at = model.find(name); at != model.end() && at->second) {
      m.simulated = at->second->value;
      exact = at->second->exact;
      m.note = note_of(*at->second);
      m.provenance = "measured";
    }
    if (const auto at = real.find(name); at != real.end()) m.measured = counted_as(at->second);
    if (!m.simulated && !m.measured) continue;
    if (m.simulated && m.measured) {
      const double value = m.measured->median;
      if (value != 0)
        m.relative_error = (*m.simulated - value) / value;
      else if (*m.simulated == 0)
        m.relative_error = 0;
      if (exact)
        m.within_tolerance = *m.simulated == value;
      else if (std::string_view(name) == "start_proof")
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
