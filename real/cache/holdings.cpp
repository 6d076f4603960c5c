#include "real/cache/holdings.h"

#include <unordered_set>

#include "real/cache/content_check.h"

namespace missive::cache {

std::optional<zar::Recipe> Holdings::recipe(const zar::Digest& image) const {
  const auto wire = store_.recipe(image);
  if (!wire) return std::nullopt;
  const Content content{ContentKind::recipe, image};
  if (check_ && !is_what_it_says(content, *wire)) {
    store_.drop(std::span(&content, 1));
    counters_.damaged_contents += 1;
    return std::nullopt;
  }
  return zar::Recipe::parse(*wire, "stored recipe of " + zar::to_hex(image));
}

std::vector<zar::Digest> Holdings::missing_blocks(const zar::Recipe& recipe) const {
  std::vector<zar::Digest> missing;
  std::unordered_set<zar::Digest> seen;
  for (const zar::Digest& leaf : recipe.leaves) {
    if (!store_.contains(leaf) && seen.insert(leaf).second) missing.push_back(leaf);
  }
  return missing;
}

std::optional<Holdings::Summary> Holdings::summary(const zar::Digest& image) const {
  const Gate::Pass pass = reading_.enter();
  const auto known = recipe(image);
  if (!known) return std::nullopt;
  return Summary{known->shape.blocks(), missing_blocks(*known).size()};
}

std::optional<std::uint64_t> Holdings::blocks(const zar::Digest& image) const {
  const Gate::Pass pass = reading_.enter();
  const auto known = recipe(image);
  return known ? std::optional(known->shape.blocks()) : std::nullopt;
}

}  // namespace missive::cache
