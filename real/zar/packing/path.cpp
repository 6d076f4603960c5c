// Packing "path", the default: all files below a page in one bundle, in path order. Files of one
// package lie side by side and change together; a new trace of the same files moves nothing.

#include "real/zar/layout.h"
#include "real/zar/packing.h"

namespace missive::zar {

namespace {

Packed pack(std::span<const Content> contents, std::uint32_t block_size) {
  Packed packed;
  Packer packer(packed);
  for (std::uint32_t i = 0; i < contents.size(); ++i) {
    if (contents[i].size >= kPage) continue;
    if (packed.items.empty()) packer.begin(true, false);
    packer.add(i, contents[i].size);
  }
  pack_large(contents, block_size, packed);
  return packed;
}

}  // namespace

const PackingChoice kPackingPath = {1, "path", "files below a page share pages, in path order",
                                    true, pack};

}  // namespace missive::zar
