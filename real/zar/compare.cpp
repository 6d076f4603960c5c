#include "real/zar/compare.h"

#include <string>
#include <unordered_set>

#include "models/error.h"

namespace missive::zar {

namespace {

std::vector<Unit> units_of(const Recipe& recipe) {
  std::vector<Unit> units;
  units.reserve(recipe.leaves.size());
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < recipe.leaves.size(); ++i) {
    const Recipe::Cut cut =
        recipe.cuts.empty() ? Recipe::Cut{0, recipe.shape.block_size} : recipe.cuts[i];
    at += cut.gap;
    units.push_back({at, cut.length, recipe.leaves[i]});
    at += cut.length;
  }
  return units;
}

void count(Share& share, const Unit& unit) {
  ++share.units;
  share.bytes += unit.length;
}

struct UnitHash {
  std::size_t operator()(const Unit& u) const noexcept {
    return std::hash<Digest>{}(u.digest) ^ (u.offset * 0x9e3779b97f4a7c15U);
  }
};

// Units of `to` against those of `from`.
void classify(const std::vector<Unit>& from, const std::vector<Unit>& to, Share& same, Share& moved,
              Share& fresh, Share* network) {
  const std::unordered_set<Unit, UnitHash> places(from.begin(), from.end());
  std::unordered_set<Digest> held;
  for (const Unit& unit : from) held.insert(unit.digest);
  for (const Unit& unit : to) {
    if (places.contains(unit)) {
      count(same, unit);
    } else if (held.contains(unit.digest)) {
      count(moved, unit);
    } else {
      count(fresh, unit);
    }
  }
  if (network == nullptr) return;
  for (const Unit& unit : to)
    if (held.insert(unit.digest).second) count(*network, unit);
}

}  // namespace

Comparison compare(const Recipe& from, const Recipe& to) {
  const bool blocks = from.shape.units == UnitKind::blocks;
  if (from.shape.units != to.shape.units || from.shape.hash != to.shape.hash ||
      (blocks && from.shape.block_size != to.shape.block_size))
    throw InputError("images cut into " + std::string(to_string(from.shape.units)) + " of " +
                     std::to_string(from.shape.block_size) + " bytes and " +
                     to_string(to.shape.units) + " of " + std::to_string(to.shape.block_size) +
                     ": they cannot share; build both with the same units");
  Comparison c;
  const auto a = units_of(from), b = units_of(to);
  classify(a, b, c.undisturbed, c.moved, c.fresh, &c.network);
  Share same_again;
  classify(b, a, same_again, c.moved_from, c.gone, nullptr);
  c.recipe = to.serialize().size();
  return c;
}

}  // namespace missive::zar
