#include "real/cache/temperature.h"

namespace missive::cache {

StoreState state_of(const std::filesystem::path& store) {
  const UniqueFd directory = open_store_directory(store);
  const Store blocks(directory.get(), store.string(), {});
  const TagStore tags(directory.get(), store.string());
  return {blocks.mark(), tags.snapshot()};
}

void restore_state(const std::filesystem::path& store, const StoreState& state) {
  const UniqueFd directory = open_store_directory(store);
  Store blocks(directory.get(), store.string(), {});  // locks the directory for both
  TagStore tags(directory.get(), store.string());
  blocks.rewind(state.blocks);
  tags.restore(state.tags);
}

}  // namespace missive::cache
