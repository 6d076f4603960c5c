#pragma once
// What the store holds of an image. Safe for several threads.
//
// Memory: a recipe that was read and parsed takes up to 64 bytes a block of its image, and what is
// missing of it up to 100 more. summary() and blocks() let four clients at a time do that, whoever
// else asks waits for them; those who call recipe() bound themselves how many they are.

#include <cstdint>
#include <optional>
#include <vector>

#include "real/cache/counters.h"
#include "real/cache/gate.h"
#include "real/cache/store.h"
#include "real/zar/recipe.h"

namespace missive::cache {

class Holdings {
 public:
  // With `check`, a recipe that is not what its name says is dropped when it is read, and counted.
  // All must outlive this.
  Holdings(Store& store, bool check, Counters& counters)
      : store_(store), check_(check), counters_(counters) {}

  std::optional<zar::Recipe> recipe(const zar::Digest& image) const;
  // Distinct, in image order.
  std::vector<zar::Digest> missing_blocks(const zar::Recipe& recipe) const;

  struct Summary {
    std::uint64_t blocks = 0, missing = 0;  // of the image; distinct ones that are not there
  };
  // Nothing when the recipe is not there.
  std::optional<Summary> summary(const zar::Digest& image) const;
  std::optional<std::uint64_t> blocks(const zar::Digest& image) const;

 private:
  Store& store_;
  bool check_;
  Counters& counters_;
  mutable Gate reading_{4};
};

}  // namespace missive::cache
