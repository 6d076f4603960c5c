#pragma once
// What of an image another one lacks, after an update. Both are laid out (structure_layout.h), so
// what files move each other by is exact; what is not known from a manifest is which pages of a
// changed file are as they were. That is taken from how files of *other* applications changed:
//
//   * A rebuilt library of the same size is either stamped (its build id in the first page, a check
//     sum in the last one) or compiled anew, most of it. Nothing about its size says which.
//   * One of another size is new behind the first byte that moved.
//
// Each changed file therefore takes the damage of one that changed elsewhere, of like size and
// drawn again for every draw; so damage keeps its clusters and its all-or-nothing. Whatever also
// changed in the application itself must not be drawn from: that would be the answer.

#include <cstdint>
#include <vector>

#include "models/structure.h"

namespace missive {

// How one file changed: which of its pages the older one has at the same place.
struct EditProfile {
  std::uint64_t content = 0, old_content = 0;  // FileFact::content of the newer and of the older
  bool resized = false;
  std::vector<bool> kept;  // of a page or more
};

// Network and copied bytes of `to` for a client that holds `from`, both in the design. Nothing
// where a design is not laid out. Without profiles no page of a changed file survives.
struct UpdatePrediction {
  std::optional<Predicted> network, copied;
};
UpdatePrediction predict_update(const StructureFacts& from, const StructureFacts& to,
                                const StructureDesign& design,
                                const std::vector<EditProfile>& profiles,
                                const ContentHashes* hashes = nullptr);

// Those whose newer file the image does not hold, nor another successor of the older one.
std::vector<EditProfile> of_others(const std::vector<EditProfile>& profiles,
                                   const StructureFacts& to);

// The profiles a file of `pages` pages draws from: of its kind, and at most four times larger or
// smaller; the five nearest where those are fewer. Their indices.
std::vector<std::size_t> profiles_like(const std::vector<EditProfile>& profiles, bool resized,
                                       std::uint64_t pages);
// Whether `page` of `pages` is kept, with the damage of another file: ends fall on ends, and what
// lies between is repeated or cut.
bool kept_page(const EditProfile& profile, std::uint64_t page, std::uint64_t pages);

}  // namespace missive
