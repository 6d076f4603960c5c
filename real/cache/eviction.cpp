#include "real/cache/eviction.h"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <unordered_set>

#include "models/error.h"

namespace missive::cache {
namespace {

constexpr double kMiB = 1024.0 * 1024.0;
constexpr std::uint64_t kRecipePlace = 0;  // before the first block, which has place 1

struct Use {
  ContentUse use;
  std::uint64_t place = 0;  // the earliest in an image
  bool pinned = false;
};
using Uses = std::unordered_map<zar::Digest, Use>;

void count(Use& content, const HeldImage& image, std::uint64_t place) {
  ContentUse& u = content.use;
  content.place = u.images == 0 ? place : std::min(content.place, place);
  content.pinned = content.pinned || image.pinned;
  u.images += 1;
  u.uses += image.use.uses;
  u.last_use = std::max(u.last_use, image.use.last_use);
  const double size = std::max(static_cast<double>(image.bytes), 1.0) / kMiB;
  u.greedy_dual =
      std::max(u.greedy_dual, image.use.clock + static_cast<double>(image.use.uses) / size);
}

void count_blocks(Uses& blocks, const HeldImage& image) {
  std::uint64_t place = kRecipePlace;
  std::unordered_set<zar::Digest> seen;  // a block that the image repeats counts once
  seen.reserve(image.leaves.size());
  for (const zar::Digest& leaf : image.leaves) {
    ++place;
    if (seen.insert(leaf).second) count(blocks[leaf], image, place);
  }
}

}  // namespace

const std::vector<const EvictionPolicy*>& eviction_policies() {
  static const std::vector<const EvictionPolicy*> all = {&kEvictLru, &kEvictLfu, &kEvictGdsf,
                                                         &kEvictCommonality};
  return all;
}

const EvictionPolicy& eviction_policy(const std::string& name) {
  std::string names;
  for (const EvictionPolicy* policy : eviction_policies()) {
    if (policy->name == name) return *policy;
    names += (names.empty() ? "" : ", ") + std::string(policy->name);
  }
  throw InputError("eviction policy " + name + ": unknown; one of " + names);
}

std::vector<Candidate> eviction_order(const EvictionPolicy& policy,
                                      std::span<const HeldImage> images,
                                      std::span<const Content> held) {
  Uses blocks, recipes;
  blocks.reserve(held.size());
  for (const HeldImage& image : images) {
    Use& recipe = recipes[image.name];
    recipe.use.is_recipe = true;
    count(recipe, image, kRecipePlace);
    count_blocks(blocks, image);
  }
  struct Ranked {
    Candidate candidate;
    std::uint64_t place = 0;
  };
  constexpr double kNothing = -std::numeric_limits<double>::infinity();
  std::vector<Ranked> order;
  order.reserve(held.size());
  for (const Content& content : held) {
    const Uses& uses = content.kind == ContentKind::block ? blocks : recipes;
    const auto found = uses.find(content.name);
    if (found == uses.end())
      order.push_back({{content, {kNothing, kNothing}}, 0});
    else if (!found->second.pinned)
      order.push_back({{content, policy.worth(found->second.use)}, found->second.place});
  }
  std::ranges::sort(order, [](const Ranked& a, const Ranked& b) {
    if (a.candidate.worth != b.candidate.worth) return a.candidate.worth < b.candidate.worth;
    if (a.place != b.place) return a.place > b.place;
    return a.candidate.content.name < b.candidate.content.name;
  });
  std::vector<Candidate> all;
  all.reserve(order.size());
  for (const Ranked& ranked : order) all.push_back(ranked.candidate);
  return all;
}

}  // namespace missive::cache
