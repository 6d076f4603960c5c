// Packing "launch": small files that the traced start needs in one bundle, in the order it needs
// them; the others in a second one, in path order. A start touches fewer pages; a new trace changes
// the first bundle.

#include <algorithm>

#include "real/zar/layout.h"
#include "real/zar/packing.h"

namespace missive::zar {

namespace {

Packed pack(std::span<const Content> contents, std::uint32_t block_size) {
  Packed packed;
  Packer packer(packed);
  std::vector<std::uint32_t> needed, others;
  for (std::uint32_t i = 0; i < contents.size(); ++i)
    if (contents[i].size < kPage) (contents[i].rank == kNever ? others : needed).push_back(i);
  std::stable_sort(needed.begin(), needed.end(), [&](std::uint32_t a, std::uint32_t b) {
    return contents[a].rank < contents[b].rank;
  });
  for (const auto* bundle : {&needed, &others}) {
    if (bundle->empty()) continue;
    packer.begin(true, false);
    for (const std::uint32_t i : *bundle) packer.add(i, contents[i].size);
  }
  pack_large(contents, block_size, packed);
  return packed;
}

}  // namespace

const PackingChoice kPackingLaunch = {
    6, "launch", "small files the start needs share pages, in its order", true, pack};

}  // namespace missive::zar
