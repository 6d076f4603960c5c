#pragma once
// What an image would be made of, without writing it: the tree is read, packed and placed as
// build() does. The raw numbers of the structure experiments.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "real/zar/builder.h"
#include "real/zar/packing.h"

namespace missive::zar {

// One stretch of content, in path order; hard links once, empty files not at all.
struct PlannedContent {
  std::string path;
  std::uint64_t size = 0;
  std::uint32_t rank = kNever;  // when the recorded start first reads it
  std::vector<std::pair<std::uint32_t, std::uint32_t>> touched;  // page, pages; disjoint, sorted
  Digest digest;                                                 // where it was asked for
};

// What an index record is made of, but for offsets. In path order.
struct PlannedEntry {
  std::string path, target;
  std::uint32_t content = kNever;  // of a file in one piece: index into the planned contents
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  std::uint32_t mode = 0, kind = 0;
};

struct PlanCounts {
  std::uint64_t content = 0, metadata = 0, padding = 0, image = 0;  // the first three add up
  std::uint64_t items = 0, scrap_items = 0, scrap_bytes = 0;
  std::uint64_t entries = 0, strings = 0, extras = 0, extents = 0, absent = 0, runs = 0;
  std::vector<std::uint64_t> start_blocks;  // that hold pages of the recorded start; sorted
};

// Throw as build() does. Holes of sparse files count as zeros, whatever `options.holes` says.
PlanCounts count_plan(const std::filesystem::path& tree, const Selection& selection,
                      const BuildOptions& options);
std::vector<PlannedContent> planned_contents(const std::filesystem::path& tree,
                                             const Selection& selection, bool digests);
// SHA-256 of the bundle that packing "path" makes of the small files; nothing where there are none.
std::optional<Digest> planned_bundle(const std::filesystem::path& tree, const Selection& selection);
std::vector<PlannedEntry> planned_entries(const std::filesystem::path& tree,
                                          const Selection& selection);

// Digests that prove the given leaves (sorted, each once) to somebody who knows the name: siblings
// of all nodes on their ways to the root, each once.
std::uint64_t partial_proof_digests(const std::vector<std::uint64_t>& leaves, std::uint64_t all,
                                    std::uint32_t degree);

}  // namespace missive::zar
