#include "models/structure_update.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "models/random.h"
#include "models/structure_layout.h"
#include "models/structure_parts.h"

namespace missive {

using namespace structure;

namespace {

// Every changed file with the damage of another one.
class DrawnEdits : public PageKeys {
 public:
  DrawnEdits(const StructureFacts& to, const std::vector<EditProfile>& profiles,
             const HeldPages* held)
      : PageKeys(held), profiles_(profiles) {
    std::unordered_map<std::uint64_t, std::size_t> seen;
    for (std::size_t i = 0; i < profiles.size(); ++i) seen.emplace(profiles[i].content, i);
    const auto kinds = edit_kinds(to);
    for (const FileFact& file : to.files) {
      if (file.change != FileChange::changed || file.size < kPage) continue;
      const auto [at, fresh] = files_.try_emplace(file.content);
      if (!fresh) continue;
      Changed& c = at->second;
      c.before = before(file, held);
      const auto middle = c.before.end() - static_cast<std::ptrdiff_t>(c.before.size() / 2);
      const auto of_twins =
          std::find_if(middle, c.before.end(), [](std::uint64_t page) { return page != 0; });
      c.seed = of_twins == c.before.end() ? file.content : *of_twins;
      c.zeros = zeros_after(c.before, up(file.size, kPage) / kPage);
      c.pages = static_cast<std::uint64_t>(std::count(c.zeros.begin(), c.zeros.end(), false));
      const auto own = seen.find(file.content);
      if (own != seen.end() && profiles[own->second].old_content == file.old_content)
        c.like = {own->second};
      else if (c.pages > 0)
        c.like = profiles_like(profiles, kinds.at(file.content), c.pages);
    }
  }
  bool certain() const {
    return std::all_of(files_.begin(), files_.end(),
                       [](const auto& f) { return f.second.like.empty(); });
  }
  // `weighted`: profiles by the weights that their builds have in this draw; else all alike.
  void draw(std::uint64_t number, bool weighted) {
    for (auto& [content, c] : files_)
      if (!c.like.empty())
        c.drawn = &profiles_[c.like[weighted ? by_weight(c, number) : alike(c, number)]];
  }
  void of(const FileFact& file, std::span<std::uint64_t> keys) const override {
    of_content(file.content, keys);
    if (file.change != FileChange::changed) return;
    const Changed& c = files_.at(file.content);
    std::vector<std::uint64_t> old(up(file.old_size, kPage) / kPage);
    of_content(file.old_content, old);
    std::uint64_t other = 0;  // pages that are not of zeros
    for (std::uint64_t page = 0; page < keys.size(); ++page) {
      if (c.zeros[page]) {
        keys[page] = 0;
        continue;
      }
      const auto was = c.drawn == nullptr ? std::nullopt : page_before(*c.drawn, other, c.pages);
      ++other;
      const std::uint64_t at = page + static_cast<std::uint64_t>(was.value_or(0));
      if (was && at < old.size() && old[at] != 0)
        keys[page] = old[at];
      else if (const std::uint64_t back = keys.size() - page; back <= c.before.size())
        keys[page] = mixed(c.before[c.before.size() - back], kAnew);
    }
  }

 private:
  // How many pages further back the older file has this one, if it has.
  static std::optional<std::int64_t> page_before(const EditProfile& profile, std::uint64_t page,
                                                 std::uint64_t pages) {
    const std::uint64_t like = page_like(profile.kept.size(), page, pages);
    if (profile.kept[like]) return 0;
    if (profile.moved.empty() || profile.moved[like] == 0) return std::nullopt;
    return profile.moved[like];
  }
  // In (0, 1).
  static double uniform(std::uint64_t seed, std::uint64_t number) {
    return (static_cast<double>(mixed(seed, number) >> 11U) + 0.5) / 0x1p53;
  }
  // In (0, 1): of every kDraws draws in a row each kDraws-th part has one, in an order of the
  // file's own.
  static double spread_evenly(std::uint64_t seed, std::uint64_t number) {
    std::array<std::uint64_t, kDraws> order{};
    std::iota(order.begin(), order.end(), 0U);
    Random random(seed, number / kDraws);
    for (std::uint64_t i = kDraws; i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    return (static_cast<double>(order[number % kDraws]) + uniform(seed, number)) / kDraws;
  }
  struct Changed;
  static std::size_t alike(const Changed& c, std::uint64_t number) {
    const std::size_t n = c.like.size();
    const double at = spread_evenly(c.seed, number) * static_cast<double>(n);
    return std::min(n - 1, static_cast<std::size_t>(at));
  }
  std::size_t by_weight(const Changed& c, std::uint64_t number) const {
    std::vector<double> sums;
    double sum = 0;
    for (const std::size_t i : c.like) {
      const EditProfile& p = profiles_[i];
      sum -= std::log(uniform(p.build == 0 ? p.content : p.build, mixed(kWeights, number)));
      sums.push_back(sum);
    }
    const double at = spread_evenly(c.seed, number) * sum;
    const auto found = std::upper_bound(sums.begin(), sums.end() - 1, at);
    return static_cast<std::size_t>(found - sums.begin());
  }

  static constexpr std::uint64_t kAnew =
      0x616e6577;  // sets new pages apart from those they replace
  static constexpr std::uint64_t kWeights = 0x77656967;
  struct Changed {
    std::vector<std::uint64_t> before;  // digests of the older file's pages, where known
    std::vector<bool> zeros;
    std::uint64_t pages = 0;  // that are not of zeros
    std::uint64_t seed = 0;
    std::vector<std::size_t> like;
    const EditProfile* drawn = nullptr;
  };
  static std::vector<std::uint64_t> before(const FileFact& file, const HeldPages* held) {
    if (held == nullptr) return {};
    const auto old = held->find(file.old_content);
    return old == held->end() ? std::vector<std::uint64_t>{} : old->second;
  }

  const std::vector<EditProfile>& profiles_;
  std::unordered_map<std::uint64_t, Changed> files_;  // by content
};

struct Lacking {
  double network = 0, copied = 0;
};

// An image that is there. As real/zar/compare.h says it: by content, each unit once; and by content
// and place.
class HeldImage {
 public:
  explicit HeldImage(const Layout& image) {
    for (const LaidUnit& u : image.units)
      units_.insert(mixed(u.key, u.bytes)), places_.insert(mixed(mixed(u.key, u.bytes), u.offset));
  }
  Lacking lacking(const Layout& to) const {
    std::unordered_set<std::uint64_t> fetched;
    Lacking l;
    for (const LaidUnit& u : to.units) {
      const std::uint64_t key = mixed(u.key, u.bytes);
      if (places_.contains(mixed(key, u.offset))) continue;
      l.copied += static_cast<double>(u.bytes);
      if (!units_.contains(key) && fetched.insert(key).second)
        l.network += static_cast<double>(u.bytes);
    }
    return l;
  }

 private:
  std::unordered_set<std::uint64_t> units_, places_;
};

// An update in one design, to be drawn again and again.
class Update {
 public:
  Update(const StructureFacts& from, const StructureFacts& to, const StructureDesign& d,
         const std::vector<EditProfile>& profiles, const UpdateKnowledge& known)
      : from_(from),
        to_(to),
        design_(d),
        known_(known),
        hashed_(d.placement == "stable" &&
                !(hashes_known(from, d, known.hashes) && hashes_known(to, d, known.hashes))),
        front_(metadata_of(from, d, items_of(from, d))),
        metadata_(metadata_of(to, d, items_of(to, d))),
        keys_(known.held),
        edits_(to, profiles, known.held) {}
  bool damage_drawn() const { return !edits_.certain(); }
  bool drawn() const { return hashed_ || damage_drawn(); }
  // With the damage and the hashes of these draws; nothing where a design is not laid out.
  std::optional<Lacking> lacking(std::uint64_t damage, std::uint64_t hashes, bool weighted) {
    const PlaceHashes places(known_.hashes, hashes);
    if (!old_ || hashed_) {
      const auto old = lay_out(from_, design_, front_, keys_, places);
      if (!old) return std::nullopt;
      old_.emplace(*old);
    }
    edits_.draw(damage, weighted);
    return old_->lacking(*lay_out(to_, design_, metadata_, edits_, places));
  }

 private:
  const StructureFacts &from_, &to_;
  const StructureDesign& design_;
  const UpdateKnowledge& known_;
  bool hashed_;
  std::uint64_t front_, metadata_;
  PageKeys keys_;
  DrawnEdits edits_;
  std::optional<HeldImage> old_;
};

}  // namespace

UpdatePrediction predict_update(const StructureFacts& from, const StructureFacts& to,
                                const StructureDesign& d, const std::vector<EditProfile>& profiles,
                                const UpdateKnowledge& known) {
  Update update(from, to, d, profiles, known);
  const auto drawn = [&](bool weighted) -> UpdatePrediction {
    std::vector<double> network, copied;
    for (std::uint64_t i = 0; i < (update.drawn() ? kDraws : 1); ++i) {
      const auto l = update.lacking(known.draws.empty() ? i : known.draws.at(i), i, weighted);
      if (!l) return {};
      network.push_back(l->network), copied.push_back(l->copied);
    }
    return {mean_of(network), mean_of(copied)};
  };
  if (!update.damage_drawn()) return drawn(false);
  UpdatePrediction weighted = drawn(true);
  if (!weighted.network || !known.draws.empty()) return weighted;
  const UpdatePrediction alike = drawn(false);
  weighted.network->value = alike.network->value, weighted.copied->value = alike.copied->value;
  return weighted;
}

std::vector<std::uint64_t> draws_near(double network, const StructureFacts& from,
                                      const StructureFacts& to, const StructureDesign& d,
                                      const std::vector<EditProfile>& profiles,
                                      const UpdateKnowledge& known) {
  constexpr std::uint64_t kChoice = 20;
  Update update(from, to, d, profiles, known);
  if (!update.damage_drawn()) return {};
  std::vector<std::pair<double, std::uint64_t>> found;
  for (std::uint64_t draw = 0; draw < kChoice * kDraws; ++draw) {
    const auto lacking = update.lacking(draw, draw, true);
    if (!lacking) return {};
    found.emplace_back(std::abs(lacking->network - network), draw);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::uint64_t> near;
  for (std::uint64_t i = 0; i < kDraws; ++i) near.push_back(found[i].second);
  std::sort(near.begin(), near.end());
  return near;
}

Predicted widened(Predicted p, double relative) {
  const double low = p.value * (1 - relative), high = p.value * (1 + relative);
  const auto [drawn_low, drawn_high] = p.spread.value_or(std::pair(p.value, p.value));
  if (!p.exact && relative > 0) p.spread = {std::min(low, drawn_low), std::max(high, drawn_high)};
  return p;
}

std::vector<bool> zeros_after(const std::vector<std::uint64_t>& old, std::uint64_t pages) {
  std::vector<bool> zeros(pages);
  const std::uint64_t shared = std::min<std::uint64_t>(pages, old.size());
  for (std::uint64_t back = 1; back <= shared; ++back)
    zeros[pages - back] = old[old.size() - back] == 0;
  return zeros;
}

std::vector<EditProfile> of_others(const std::vector<EditProfile>& profiles,
                                   const StructureFacts& to) {
  std::unordered_set<std::uint64_t> own, own_old;
  for (const FileFact& file : to.files) {
    own.insert(file.content);
    if (file.change == FileChange::changed) own_old.insert(file.old_content);
  }
  std::vector<EditProfile> others;
  for (const EditProfile& p : profiles)
    if (!own.contains(p.content) && !own_old.contains(p.old_content)) others.push_back(p);
  return others;
}

SeenChanges seen_changes(const std::vector<EditProfile>& profiles, const StructureFacts& to) {
  std::unordered_map<std::uint64_t, std::uint64_t> old;
  for (const EditProfile& p : profiles) old.emplace(p.content, p.old_content);
  SeenChanges s;
  std::unordered_set<std::uint64_t> met;  // equal contents count once
  for (const FileFact& file : to.files) {
    if (file.change != FileChange::changed || file.size < kPage) continue;
    if (!met.insert(file.content).second) continue;
    ++s.changed;
    const auto at = old.find(file.content);
    s.seen += at != old.end() && at->second == file.old_content;
  }
  return s;
}

std::unordered_map<std::uint64_t, EditKind> edit_kinds(const StructureFacts& to) {
  std::unordered_map<std::uint64_t, EditKind> kinds;
  std::unordered_map<std::uint64_t, std::uint64_t> builds;  // pages of each
  const auto pages = [](const FileFact& f) { return up(f.size, kPage) / kPage; };
  const auto counts = [](const FileFact& f) {
    return f.change == FileChange::changed && f.size >= kPage;
  };
  for (const FileFact& f : to.files)  // equal contents once
    if (counts(f) && kinds.try_emplace(f.content, EditKind::resized).second)
      builds[f.build] += pages(f);
  for (const FileFact& f : to.files) {
    if (!counts(f) || f.size != f.old_size) continue;
    const bool alone = f.build != 0 && 10 * pages(f) >= 9 * builds.at(f.build);
    kinds[f.content] = alone ? EditKind::alone : EditKind::same;
  }
  return kinds;
}

std::vector<std::size_t> profiles_like(const std::vector<EditProfile>& profiles, EditKind kind,
                                       std::uint64_t pages) {
  constexpr double kNear = 2;  // powers of two
  constexpr std::size_t kLeast = 5;
  std::vector<std::pair<double, std::size_t>> found;
  for (std::size_t i = 0; i < profiles.size(); ++i)
    if (profiles[i].kind == kind && !profiles[i].kept.empty())
      found.emplace_back(std::abs(std::log2(static_cast<double>(profiles[i].kept.size()) /
                                            static_cast<double>(pages))),
                         i);
  if (found.empty() && kind == EditKind::alone)
    return profiles_like(profiles, EditKind::same, pages);
  std::sort(found.begin(), found.end());
  std::vector<std::size_t> like;
  for (const auto& [distance, i] : found)
    if (distance <= kNear || like.size() < kLeast) like.push_back(i);
  return like;
}

std::uint64_t page_like(std::uint64_t own, std::uint64_t page, std::uint64_t pages) {
  if (page == 0 || own == 1) return 0;
  if (page + 1 == pages) return own - 1;
  return own == 2 ? 0 : 1 + (page - 1) % (own - 2);
}

}  // namespace missive
