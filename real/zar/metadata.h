#pragma once
// The metadata of an image as its builder writes it: header and all sections in front of the
// content. Produced as a stream, because for a million files it has 100 MB.

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "real/zar/layout.h"
#include "real/zar/plan.h"

namespace missive::zar {

struct MetadataSections {
  std::array<std::uint64_t, kSections - 1> offset{}, length{};  // of all but content
  std::uint64_t total = 0;                                      // end of the last one
};
// Needs the plan up to its items; does not depend on where anything lies.
MetadataSections metadata_sections(const Tree& tree, const BuildOptions& options, const Plan& plan);

// Where the items lie, by offset: what units are cut from.
std::vector<Piece> pieces_of(const Plan& plan);

// Hands out all `plan.metadata_bytes` in order.
void write_metadata(const Tree& tree, const BuildOptions& options, const Plan& plan,
                    const std::function<void(std::span<const std::byte>)>& sink);

}  // namespace missive::zar
