#pragma once
// Applications as sets of units: what of block lists and launch traces counting needs.

#include <cstdint>
#include <string>
#include <vector>

#include "real/commonality/block_list.h"
#include "real/launch/application.h"

namespace missive::commonality {

struct Member {
  std::string name, family;
  std::vector<std::uint32_t> units;  // each once
  std::uint64_t files = 0, path_bytes = 0;
};

struct Collection {
  std::vector<std::uint32_t> lengths;  // of each unit, in bytes
  std::vector<Member> members;
  bool blocks = true;               // units of a recipe that need not state their lengths
  std::uint32_t metadata_unit = 1;  // metadata fills whole units of so many bytes
};

// All files of each application's packages. `units`: "strings" or a cutting of `lists`. Throws
// InputError when it is none.
Collection whole_content(const BlockLists& lists, const std::string& units);

// The same as fixed blocks of one image for each application, laid out as `zar build` does by
// default (packing "path", placement "in-order"): a unit is a block with the parts of files in it
// and the padding between them, and is equal to another one when the same lies at the same places.
// `block`: any size from 4KiB. Parts of files are known by their hashes where the lists are cut by
// that size, else by their files' digests and where they are: equal parts of different files then
// count as different, which is little across applications and much across versions. Throws
// InputError.
Collection image_content(const BlockLists& lists, const std::string& block);

// A recorded start.
struct Start {
  std::string name, family;
  launch::LaunchTrace trace;
};
// The files a start opens (units: "strings", block sizes), or the blocks of them it touches
// (block sizes). A block is known by its file's digest and its place: equal blocks in different
// files count as different. Throws InputError for other units.
Collection opened_content(const std::vector<Start>& starts, const std::string& units);
Collection touched_content(const std::vector<Start>& starts, const std::string& units);

// Bytes of `member` that none of `others` has; the walk that a cache would do.
std::uint64_t new_bytes(const Collection& c, std::size_t member,
                        const std::vector<std::size_t>& others);
std::uint64_t content_bytes(const Collection& c, std::size_t member);

}  // namespace missive::commonality
