// Packing "off": every file starts on a block, however small. Missive's builder had this for
// measurement only: it shares all that blocks can share and wastes half a block a file.

#include "real/zar/layout.h"
#include "real/zar/packing.h"

namespace missive::zar {

namespace {

Packed pack(std::span<const Content> contents, std::uint32_t) {
  Packed packed;
  Packer packer(packed);
  for (std::uint32_t i = 0; i < contents.size(); ++i) {
    packer.begin(contents[i].size < kPage, true);
    packer.add(i, contents[i].size);
  }
  return packed;
}

}  // namespace

const PackingChoice kPackingOff = {3, "off", "every file starts on a block", false, pack};

}  // namespace missive::zar
