#include "harness/structure_run.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>

#include "harness/progress.h"
#include "harness/structure_tree.h"
#include "models/error.h"
#include "models/statistics.h"
#include "real/process.h"
#include "real/zar/compare.h"
#include "real/zar/plan_counts.h"

namespace missive::harness {

namespace {

namespace fs = std::filesystem;

// What the model is told of an image: sizes of files, and which the other image has.
StructureFacts facts_of(const StructureTree& to, const StructureTree* from) {
  const auto contents = zar::planned_contents(to.root, to.selection, from != nullptr);
  const zar::PlanCounts index = zar::count_plan(to.root, to.selection, build_options({}));
  StructureFacts f;
  f.entries = index.entries, f.strings = index.strings, f.extras = index.extras;
  f.extents = index.extents, f.absent = index.absent, f.runs = index.runs;
  f.pair = from != nullptr;
  std::set<zar::Digest> held;
  std::unordered_map<std::string, std::uint64_t> old;
  if (from != nullptr)
    for (const auto& c : zar::planned_contents(from->root, from->selection, true)) {
      held.insert(c.digest);
      old.emplace(c.path, c.size);
    }
  std::unordered_map<std::string, std::uint32_t> directories;
  for (const auto& c : contents) {
    FileFact& file = f.files.emplace_back();
    file.size = c.size, file.ranked = c.ranked, file.touched = c.touched;
    file.directory = directories
                         .emplace(c.path.substr(0, c.path.rfind('/')),
                                  static_cast<std::uint32_t>(directories.size()))
                         .first->second;
    const auto before = old.find(c.path);
    if (from != nullptr && !held.insert(c.digest).second)
      file.change = FileChange::same;
    else if (before != old.end())
      file.change = FileChange::changed, file.old_size = before->second;
    if (before != old.end()) old.erase(before);
  }
  for (const auto& [path, size] : old) f.gone.push_back(size);
  std::sort(f.gone.begin(), f.gone.end());
  return f;
}

std::string read_whole(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Share of the blocks of changed files that the older file has somewhere.
double survival_of_blocks(const StructureTree& from, const StructureTree& to,
                          std::uint64_t block_size) {
  std::unordered_map<std::string, zar::Digest> old;
  for (const auto& c : zar::planned_contents(from.root, from.selection, true))
    old.emplace(c.path, c.digest);
  std::uint64_t all = 0, kept = 0;
  for (const auto& c : zar::planned_contents(to.root, to.selection, true)) {
    const auto before = old.find(c.path);
    if (before == old.end() || before->second == c.digest || c.size < block_size) continue;
    const auto blocks = [&](const fs::path& root) {
      std::string text = read_whole(root.string() + c.path);
      text.resize((text.size() + block_size - 1) / block_size * block_size);
      std::vector<zar::Digest> hashes;
      for (std::size_t at = 0; at < text.size(); at += block_size)
        hashes.push_back(zar::sha256(std::as_bytes(std::span(text).subspan(at, block_size))));
      return hashes;
    };
    const auto a = blocks(from.root), b = blocks(to.root);
    const std::unordered_set<zar::Digest> held(a.begin(), a.end());
    for (const auto& block : b) ++all, kept += held.contains(block);
  }
  return all == 0 ? 0 : static_cast<double>(kept) / static_cast<double>(all);
}

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

  void point(std::size_t i) {
    const StructurePoint& p = settings_.points[i];
    try {
      const StructureTree& to = trees_.get(p.to);
      const StructureTree* const from = p.from.empty() ? nullptr : &trees_.get(p.from);
      const StructureFacts& facts = facts_for(p, to, from);
      StructurePrediction predicted;
      if (e_.backend != Backend::real) predicted = predict(p, facts, to, from);
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

  const StructureFacts& facts_for(const StructurePoint& p, const StructureTree& to,
                                  const StructureTree* from) {
    const auto [at, fresh] = facts_.try_emplace({p.from, p.to});
    if (fresh) at->second = facts_of(to, from);
    return at->second;
  }

  StructurePrediction predict(const StructurePoint& p, const StructureFacts& facts,
                              const StructureTree& to, const StructureTree* from) {
    const BlockSurvival* survival = nullptr;
    if (from != nullptr && settings_.fit_block_sizes.size() == 2) {
      const auto [at, fresh] = survival_.try_emplace({p.from, p.to});
      if (fresh) {
        const auto& sizes = settings_.fit_block_sizes;
        const double a = survival_of_blocks(*from, to, sizes[0]);
        const double b = survival_of_blocks(*from, to, sizes[1]);
        if (a > b && b > 0 && a < 1)
          at->second =
              fit_survival(static_cast<double>(sizes[0]), a, static_cast<double>(sizes[1]), b);
      }
      if (at->second) survival = &*at->second;
    }
    return predict_structure(facts, p.design, survival);
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
  std::map<std::pair<std::string, std::string>, std::optional<BlockSurvival>> survival_;
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

// Sums of two answers; exact when both are.
Optional sum(const Optional& a, const Optional& b) {
  if (!a || !b) return std::nullopt;
  return Predicted{a->value + b->value, a->exact && b->exact};
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
  const bool fitted = !point.from.empty() &&
                      std::find(settings.fit_block_sizes.begin(), settings.fit_block_sizes.end(),
                                point.design.block_size) != settings.fit_block_sizes.end();
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
      m.note = exact ? "exact" : "expectation";
      m.provenance = "measured";
    }
    if (const auto at = real.find(name); at != real.end()) m.measured = counted_as(at->second);
    if (!m.simulated && !m.measured) continue;
    if (m.simulated && m.measured) {
      const double value = m.measured->median;
      if (value != 0) m.relative_error = (*m.simulated - value) / value;
      const bool uses_fit = std::string_view(name) == "network" || std::string_view(name) == "cost";
      if (exact)
        m.within_tolerance = *m.simulated == value;
      else if (std::string_view(name) == "start_proof")
        m.note = "expectation; not judged: it is given the counted gaps between the start's blocks";
      else if (fitted && uses_fit)
        m.note = "expectation; not judged: the model was fitted on blocks of this size";
      else
        m.within_tolerance = std::abs(*m.simulated - value) <= settings.tolerance * value;
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
