#pragma once
// For fuzz targets of records that a launcher left in an untrusted store.

#include <vector>

#include "real/fuzz/fuzz_target.h"

namespace missive::fuzz {

// The record, the same as of another version (bytes 48 to 55: docs/zarfile-format.md), and one that
// is a byte too long.
inline std::vector<Bytes> record_seeds(const Bytes& record) {
  Bytes other = record, longer = record;
  other[48] ^= std::byte{15};
  longer.push_back(std::byte{0});
  return {record, other, longer};
}

}  // namespace missive::fuzz
