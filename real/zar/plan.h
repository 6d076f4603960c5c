#pragma once
// What a build decides before it writes: which entries, which contents, where each lies. Internal
// to the builder.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "real/zar/builder.h"
#include "real/zar/packing.h"
#include "real/zar/placement.h"
#include "real/zar/scan.h"

namespace missive::zar {

// What few entries have beside a record in the index.
struct PlannedExtra {
  Attributes attributes;
  std::vector<Stretch> stretches;  // of a file in extents; of these content is stored
  bool in_extents = false, partial = false;
  std::uint32_t first_content = 0;  // in extents: one content for each stretch
  std::size_t link = 0;             // linked: tree index of the first name
  bool linked = false;
};

struct Plan {
  std::vector<std::uint32_t> order;  // entries of the image: tree indices, path order
  std::vector<PlannedExtra> extras;  // TreeEntry::extra - 1
  std::vector<Content> contents;
  struct Source {
    std::uint32_t file = 0;  // tree index
    std::uint64_t file_offset = 0;
  };
  std::vector<Source> sources;  // of each content; sorted by tree index, then file offset
  std::vector<std::pair<std::size_t, Selection::Run>> runs;  // tree index
  std::vector<std::string_view> absent;                      // into the selection
  Packed packed;
  std::vector<Digest> digests;  // of items, where the placement wants them
  Placed placed;
  std::vector<std::uint64_t> offsets;    // of each content, in the image
  std::vector<std::uint32_t> by_offset;  // contents
  std::uint64_t metadata_bytes = 0, content_start = 0, end = 0, content_bytes = 0;
};

// All but packing, digests, placement and offsets.
Plan choose(Tree& tree, const Selection& selection, const BuildOptions& options,
            std::vector<std::string>& missing);
// The rest. Needs plan.digests when the placement wants them.
void lay_out(const Tree& tree, const BuildOptions& options, Plan& plan);

// Content of a tree entry, for its own name or the first of its hard links; kNever: none.
std::uint32_t content_of(const Plan& plan, const Tree& tree, std::size_t entry);

// The units' kind, and the options as an image's header and its name state them.
TreeShape shape_of(const BuildOptions& options, std::uint64_t length);

}  // namespace missive::zar
