#pragma once
// What the model of structure is told of a tree: its manifest. Contents are known by their digests.

#include <string>
#include <vector>

#include "harness/structure_tree.h"
#include "models/structure.h"
#include "models/structure_update.h"

namespace missive::harness {

// Of `to`; changes are against `from`, where there is one. Throw as zar::build().
StructureFacts structure_facts(const StructureTree& to, const StructureTree* from, bool digests);

// How the files that both trees have changed, page by page: what the model of updates is fitted on.
std::vector<EditProfile> edit_profiles(const StructureTree& from, const StructureTree& to);

}  // namespace missive::harness
