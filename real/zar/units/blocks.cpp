// Units "blocks": Missive's. The image itself is cut, not its pieces, and a file that starts on a
// block boundary has the same blocks in every image.

#include "real/zar/units.h"

namespace missive::zar {

namespace {

std::unique_ptr<Cutter> none(std::uint32_t, const Chunking&) { return nullptr; }

}  // namespace

const UnitChoice kUnitBlocks = {UnitKind::blocks, 0, "blocks",
                                "the image in blocks of one size (the launch format)", none};

}  // namespace missive::zar
