#pragma once
// What a store at rest holds, and whether all of it is what it says. Reads only: damage is found
// here, and repaired by whoever opens the store afterwards and drops what was named.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "real/cache/index_record.h"

namespace missive::cache {

struct StoreReport {
  // One line for each damage: what, where.
  std::vector<std::string> damage;
  // Contents that are not what their names say, or not there.
  std::vector<Content> bad;
  std::uint64_t blocks = 0, recipes = 0, tags = 0;  // tags: distinct keys
  std::uint64_t data_bytes = 0, index_bytes = 0, tag_bytes = 0, free_bytes = 0;
  std::uint64_t images_whole = 0, images_in_part = 0, unreferenced_blocks = 0;
};

// Reads every content when `thorough`, else only index, recipes and tags. At most 100 lines of
// damage are kept; `bad` is whole. Throws RunError: in use by another process or not readable;
// InputError: no store there, or of another version.
StoreReport check_store(const std::filesystem::path& directory, bool thorough);

// Opens the store and drops `report.bad`; torn ends are cut off by opening it. Throws RunError.
void repair_store(const std::filesystem::path& directory, const StoreReport& report);

}  // namespace missive::cache
