#pragma once
// What the model of structure is told of a tree: its manifest. Contents are known by their digests.

#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "harness/structure_tree.h"
#include "models/structure.h"
#include "models/structure_update.h"
#include "real/zar/digest.h"

namespace missive::harness {

// Where contents, and bundles of small ones, want to lie by their SHA-256 (docs/zarfile-format.md,
// placement 3).
class DigestHashes : public ContentHashes {
 public:
  void add(const zar::Digest& digest);
  std::optional<std::uint64_t> order(std::uint64_t content) const override;
  std::optional<std::uint64_t> wish(std::uint64_t content, unsigned attempt) const override;

 private:
  std::unordered_map<std::uint64_t, zar::Digest> digests_;
};

// Of `to`; changes are against `from`, where there is one. With `digests` those of `to` are added
// to it, and equal contents are known in all images; without, none is equal to another. Throw as
// zar::build().
StructureFacts structure_facts(const StructureTree& to, const StructureTree* from,
                               DigestHashes* digests);

// Digests of the pages of its files of a page or more: which of them are equal, to one another and
// to padding.
HeldPages held_pages(const StructureTree& tree);

// How the files that both trees have changed, page by page: what the model of updates is fitted on.
// `facts`: of `to` against `from`, with digests.
std::vector<EditProfile> edit_profiles(const StructureTree& from, const StructureTree& to,
                                       const StructureFacts& facts);

}  // namespace missive::harness
