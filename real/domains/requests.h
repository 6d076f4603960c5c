#pragma once
// Requests as the measured cells send them: the same bytes for the same entry, size and seed.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "real/domains/domain.h"

namespace missive::domains {

// About `bytes` bytes (whole words where the entry wants words; JSON ends with its last whole
// member, never longer than asked for):
//   hash, sort, sum   random bytes
//   json_scan         an array of small objects, nested every now and then
//   lookup            random keys; half of those looked up are in the table
//   walk              one random cycle through all words (Sattolo's algorithm)
//   null              random bytes, which it does not read
// Throws InputError below 64 bytes, except for null (any size), sum and hash.
std::vector<std::byte> make_request(Entry entry, std::size_t bytes, std::uint64_t seed);

// Room that the reply to such a request needs.
std::size_t reply_room(Entry entry, std::size_t request_bytes);

// The kernels: every entry but null.
const std::vector<Entry>& kernels();
const char* name_of(Entry entry);

}  // namespace missive::domains
