#include "models/structure_update.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "models/structure_layout.h"
#include "models/structure_parts.h"

namespace missive {

using namespace structure;

namespace {

// Every changed file with the damage of another one.
class DrawnEdits : public PageKeys {
 public:
  DrawnEdits(const StructureFacts& to, const std::vector<EditProfile>& profiles)
      : profiles_(profiles) {
    for (const FileFact& file : to.files)
      if (file.change == FileChange::changed && file.size >= kPage)
        like_.emplace(file.content, profiles_like(profiles_, file.size != file.old_size,
                                                  up(file.size, kPage) / kPage));
  }
  bool certain() const {
    return std::all_of(like_.begin(), like_.end(), [](const auto& l) { return l.second.empty(); });
  }
  void draw(std::uint64_t number) {
    drawn_.clear();
    for (const auto& [content, like] : like_)
      if (!like.empty())
        drawn_.emplace(content, &profiles_[like[mixed(content, number) % like.size()]]);
  }
  std::uint64_t of(const FileFact& file, std::uint64_t page) const override {
    const auto at = file.change == FileChange::changed ? drawn_.find(file.content) : drawn_.end();
    const bool kept =
        at != drawn_.end() && kept_page(*at->second, page, up(file.size, kPage) / kPage);
    return mixed(kept ? file.old_content : file.content, page + 1);
  }

 private:
  const std::vector<EditProfile>& profiles_;
  std::unordered_map<std::uint64_t, std::vector<std::size_t>> like_;
  std::unordered_map<std::uint64_t, const EditProfile*> drawn_;
};

struct Lacking {
  double network = 0, copied = 0;
};

// As real/zar/compare.h says it: by content, each unit once; and by content and place.
Lacking lacking(const Layout& from, const Layout& to) {
  std::unordered_set<std::uint64_t> held, places;
  for (const LaidUnit& u : from.units)
    held.insert(mixed(u.key, u.bytes)), places.insert(mixed(mixed(u.key, u.bytes), u.offset));
  Lacking l;
  for (const LaidUnit& u : to.units) {
    const std::uint64_t key = mixed(u.key, u.bytes);
    if (!places.contains(mixed(key, u.offset))) l.copied += static_cast<double>(u.bytes);
    if (held.insert(key).second) l.network += static_cast<double>(u.bytes);
  }
  return l;
}

}  // namespace

UpdatePrediction predict_update(const StructureFacts& from, const StructureFacts& to,
                                const StructureDesign& d, const std::vector<EditProfile>& profiles,
                                const ContentHashes* hashes) {
  const bool hashed =
      d.placement == "stable" && !(hashes_known(from, d, hashes) && hashes_known(to, d, hashes));
  const std::uint64_t front = metadata_of(from, d, items_of(from, d).first);
  const std::uint64_t metadata = metadata_of(to, d, items_of(to, d).first);
  DrawnEdits edits(to, profiles);
  const std::uint64_t draws = hashed || !edits.certain() ? kDraws : 1;
  std::vector<double> network, copied;
  std::optional<Layout> old;
  for (std::uint64_t draw = 0; draw < draws; ++draw) {
    const PlaceHashes places(hashes, draw);
    if (!old || hashed) old = lay_out(from, d, front, PageKeys(), places);
    edits.draw(draw);
    const auto laid = lay_out(to, d, metadata, edits, places);
    if (!old || !laid) return {};
    const Lacking l = lacking(*old, *laid);
    network.push_back(l.network), copied.push_back(l.copied);
  }
  return {mean_of(network), mean_of(copied)};
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

std::vector<std::size_t> profiles_like(const std::vector<EditProfile>& profiles, bool resized,
                                       std::uint64_t pages) {
  constexpr double kNear = 2;  // powers of two
  constexpr std::size_t kLeast = 5;
  std::vector<std::pair<double, std::size_t>> found;
  for (std::size_t i = 0; i < profiles.size(); ++i)
    if (profiles[i].resized == resized && !profiles[i].kept.empty())
      found.emplace_back(std::abs(std::log2(static_cast<double>(profiles[i].kept.size()) /
                                            static_cast<double>(pages))),
                         i);
  std::sort(found.begin(), found.end());
  std::vector<std::size_t> like;
  for (const auto& [distance, i] : found)
    if (distance <= kNear || like.size() < kLeast) like.push_back(i);
  return like;
}

bool kept_page(const EditProfile& profile, std::uint64_t page, std::uint64_t pages) {
  const std::uint64_t own = profile.kept.size();
  if (page == 0 || own == 1) return profile.kept.front();
  if (page + 1 == pages) return profile.kept.back();
  return profile.kept[own == 2 ? 0 : 1 + (page - 1) % (own - 2)];
}

}  // namespace missive
