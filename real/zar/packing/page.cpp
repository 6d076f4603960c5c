// Packing "page": every file on a page of its own. What can be mapped is easiest to share, and
// costs half a page a file.

#include "real/zar/layout.h"
#include "real/zar/packing.h"

namespace missive::zar {

namespace {

Packed pack(std::span<const Content> contents, std::uint32_t block_size) {
  Packed packed;
  Packer packer(packed);
  for (std::uint32_t i = 0; i < contents.size(); ++i) {
    packer.begin(contents[i].size < kPage, contents[i].size >= block_size);
    packer.add(i, contents[i].size);
  }
  return packed;
}

}  // namespace

const PackingChoice kPackingPage = {2, "page", "every file starts on a page", false, pack};

}  // namespace missive::zar
