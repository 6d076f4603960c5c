#include "harness/structure_run.h"

#include <algorithm>
#include <array>
#include <filesystem>

#include <fmt/format.h>

#include "harness/progress.h"
#include "harness/structure_compare.h"
#include "harness/structure_edits.h"
#include "harness/structure_facts.h"
#include "harness/structure_tree.h"
#include "models/error.h"
#include "real/gzip.h"
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
    keep_edits();
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
    return std::any_of(settings_.points.begin(), settings_.points.end(), [](const auto& p) {
      return !p.from.empty() || p.design.placement == "stable";
    });
  }

  void point(std::size_t i) {
    const StructurePoint& p = settings_.points[i];
    try {
      const StructureTree& to = trees_.get(p.to);
      const StructureTree* const from = p.from.empty() ? nullptr : &trees_.get(p.from);
      const StructureFacts& facts = facts_for(p.from, p.to);
      StructurePrediction predicted;
      if (e_.backend != Backend::real) predicted = predict(p, facts);
      StructureCounts counted;
      if (e_.backend != Backend::sim) counted = count(p, to, from, predicted);
      if (e_.backend != Backend::sim && from != nullptr && !invented(p.to)) edits_of(p.from, p.to);
      if (e_.backend == Backend::both) predict_told(p, facts, predicted);
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
                                   wants_digests() ? &hashes_ : nullptr);
    return at->second;
  }

  const std::vector<EditProfile>& edits_of(const std::string& from, const std::string& to) {
    const auto [at, fresh] = edits_.try_emplace({from, to});
    if (fresh) at->second = edit_profiles(trees_.get(from), trees_.get(to), facts_for(from, to));
    return at->second;
  }

  // What was learnt from, and what other real updates were met, for those who do not have their
  // trees.
  void keep_edits() const {
    RecordedEdits found;
    for (const auto& [image, edits] : edits_)
      for (const EditProfile& edit : edits) found.add(edit, {image.first + ">" + image.second});
    if (!found.empty()) write_gzip(options_.out / "edits.gz", found.text());
  }

  // How the files of the images that are fitted on changed: those of invented updates for invented
  // ones, others for others.
  const RecordedEdits& learnt_from(bool made_up) {
    const auto [at, fresh] = learnt_.try_emplace(made_up);
    if (!fresh) return at->second;
    if (settings_.fit_recorded && !made_up)
      for (const RecordedEdit& e : read_edits(recorded_edits())) at->second.add(e.edit, e.images);
    for (const auto& [from, to] : settings_.fit_images)
      if (invented(to) == made_up)
        for (const EditProfile& edit : edits_of(from, to)) at->second.add(edit, {from + ">" + to});
    return at->second;
  }

  // What strangers teach: nothing that the image itself holds, unless it is fitted on.
  const std::vector<EditProfile>& profiles_for(const StructurePoint& p,
                                               const StructureFacts& facts) {
    const auto [at, fresh] = profiles_.try_emplace({p.from, p.to});
    if (!fresh) return at->second;
    at->second = learnt_from(invented(p.to)).all();
    if (!settings_.fitted(p)) at->second = of_others(at->second, facts);
    return at->second;
  }

  StructurePrediction predict(const StructurePoint& p, const StructureFacts& facts) {
    const ContentHashes* const hashes = settings_.known_hashes ? &hashes_ : nullptr;
    StructurePrediction predicted = predict_structure(facts, p.design, hashes);
    if (p.from.empty()) return predicted;
    const UpdatePrediction update =
        predict_update(facts_for("", p.from), facts, p.design, profiles_for(p, facts), known(p));
    predicted.network = update.network, predicted.copied = update.copied;
    if (!settings_.fitted(p)) predict_seen(p, facts, predicted);
    return predicted;
  }

  // The second prediction of an update, which knows what files that it shares with other
  // applications went through there. Where there are none it would be the first one.
  void predict_seen(const StructurePoint& p, const StructureFacts& facts,
                    StructurePrediction& predicted) {
    const auto [at, fresh] = elsewhere_.try_emplace({p.from, p.to});
    if (fresh) at->second = learnt_from(invented(p.to)).elsewhere(p.from + ">" + p.to);
    predicted.seen = seen_changes(at->second, facts);
    if (predicted.seen.seen == 0) return;
    const UpdatePrediction update =
        predict_update(facts_for("", p.from), facts, p.design, at->second, known(p));
    predicted.network_seen = update.network, predicted.copied_seen = update.copied;
  }

  UpdateKnowledge known(const StructurePoint& p) {
    UpdateKnowledge k;
    if (settings_.known_hashes) k.hashes = &hashes_;
    if (!settings_.known_pages) return k;
    const auto [at, fresh] = held_.try_emplace(p.from);
    if (fresh) at->second = held_pages(trees_.get(p.from));
    k.held = &at->second;
    return k;
  }

  // Another prediction of an update, which knows what was counted at one block size and is
  // therefore none for that. Damage is the same in every design: the image that is told of is
  // placed in order, whose draws are cheap.
  void predict_told(const StructurePoint& p, const StructureFacts& facts,
                    StructurePrediction& predicted) {
    if (p.from.empty() || !settings_.told_block_size ||
        p.design.block_size == *settings_.told_block_size || !predicted.network)
      return;
    const StructureFacts& before = facts_for("", p.from);
    UpdateKnowledge k = known(p);
    const auto [at, fresh] = near_.try_emplace({p.from, p.to, p.design.packing});
    if (fresh) {
      StructureDesign told = p.design;
      told.block_size = *settings_.told_block_size;
      told.placement = "in-order", told.units = "blocks";
      const auto counted = zar::compare(recipe_of(p.from, trees_.get(p.from), told),
                                        recipe_of(p.to, trees_.get(p.to), told));
      at->second = draws_near(static_cast<double>(counted.network.bytes), before, facts, told,
                              profiles_for(p, facts), k);
    }
    k.draws = at->second;
    const UpdatePrediction update =
        predict_update(before, facts, p.design, profiles_for(p, facts), k);
    predicted.network_told = update.network, predicted.copied_told = update.copied;
    const auto error = settings_.told_errors.find(p.design.block_size);
    if (error != settings_.told_errors.end() && predicted.network_told)
      predicted.network_told = widened(*predicted.network_told, error->second);
  }

  zar::Recipe build_recipe(const StructureTree& tree, const StructureDesign& d,
                           std::uint64_t salt = 0) const {
    const fs::path image = options_.out / "structure.zar.tmp";
    auto options = build_options(d);
    options.hash_salt = salt;
    options.progress = [](std::uint64_t, std::uint64_t) { check_interrupt(); };
    const zar::Recipe recipe = zar::build(tree.root, tree.selection, options, image).recipe;
    std::error_code ignored;
    fs::remove(image, ignored);
    return recipe;
  }

  // What drawn hashes foretell the mean of.
  void count_salted(const StructurePoint& p, const StructureTree& from, const StructureTree& to,
                    StructureCounts& counted) const {
    if (settings_.known_hashes || p.design.placement != "stable") return;
    for (std::size_t salt = 1; salt <= settings_.hash_salts; ++salt) {
      const zar::Comparison x =
          zar::compare(build_recipe(from, p.design, salt), build_recipe(to, p.design, salt));
      counted.network.push_back(static_cast<double>(x.network.bytes));
      counted.copied.push_back(static_cast<double>(x.copies().bytes));
    }
  }

  // The recipe of an image, built for it; once for each.
  const zar::Recipe& recipe_of(const std::string& name, const StructureTree& tree,
                               const StructureDesign& d) {
    const std::string key =
        fmt::format("{} {} {} {} {}", name, d.block_size, d.packing, d.placement, d.units);
    const auto [at, fresh] = recipes_.try_emplace(key);
    if (fresh) at->second = build_recipe(tree, d);
    return at->second;
  }

  StructureCounts count(const StructurePoint& p, const StructureTree& to, const StructureTree* from,
                        StructurePrediction& predicted) {
    const StructureDesign& d = p.design;
    const zar::PlanCounts c = zar::count_plan(to.root, to.selection, build_options(d));
    const bool build = from != nullptr || d.units == "cdc";
    std::uint64_t units = c.image / d.block_size;
    if (d.units == "strings") units = (c.metadata + d.block_size - 1) / d.block_size + c.items;
    if (build) units = recipe_of(p.to, to, d).leaves.size();
    const double record = d.units == "blocks" ? 32 : 40;
    StructureCounts counted;
    std::map<std::string, double>& m = counted.of_image;
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
      count_salted(p, *from, to, counted);
    }
    return counted;
  }

  const Experiment& e_;
  const StructureSettings& settings_;
  const RunOptions& options_;
  Result result_;
  StructureTrees trees_;
  DigestHashes hashes_;  // of all contents met so far
  std::map<std::pair<std::string, std::string>, StructureFacts> facts_;
  std::map<std::pair<std::string, std::string>, std::vector<EditProfile>> edits_, profiles_,
      elsewhere_;                          // by image
  std::map<bool, RecordedEdits> learnt_;   // of invented updates, and of others
  std::map<std::string, HeldPages> held_;  // by tree
  std::map<std::array<std::string, 3>, std::vector<std::uint64_t>> near_;  // from, to, packing
  std::map<std::string, zar::Recipe> recipes_;
};

}  // namespace

Result run_structure(const Experiment& experiment, const RunOptions& options) {
  return StructureRun(experiment, options).run();
}

}  // namespace missive::harness
