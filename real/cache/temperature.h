#pragma once
// Setting a cache back to an earlier state between two repetitions of a launch, while no cache runs
// on the directory: the disk's part of "cold" and "warm". What it holds in memory goes with its
// process.

#include <filesystem>

#include "real/cache/store.h"
#include "real/cache/tag_store.h"

namespace missive::cache {

struct StoreState {
  Store::Mark blocks;
  TagStore::Snapshot tags;
};

// Both throw RunError when a cache runs on the directory. restore_state() forgets every block,
// recipe and tag that came after `state` was taken; InputError when the store has shrunk since.
StoreState state_of(const std::filesystem::path& store);
void restore_state(const std::filesystem::path& store, const StoreState& state);

}  // namespace missive::cache
