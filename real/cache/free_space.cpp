#include "real/cache/free_space.h"

#include <iterator>

namespace missive::cache {

std::optional<std::uint64_t> FreeSpace::take(std::uint64_t length) {
  for (auto range = ranges_.begin(); range != ranges_.end(); ++range) {
    if (range->second < length) continue;
    const auto [offset, size] = *range;
    ranges_.erase(range);
    if (size > length) ranges_.emplace(offset + length, size - length);
    bytes_ -= length;
    return offset;
  }
  return std::nullopt;
}

void FreeSpace::give(std::uint64_t offset, std::uint64_t length) {
  if (length == 0) return;
  bytes_ += length;
  const auto after = ranges_.lower_bound(offset);
  if (after != ranges_.end() && offset + length == after->first) {
    length += after->second;
    ranges_.erase(after);
  }
  const auto behind = ranges_.lower_bound(offset);
  if (behind != ranges_.begin()) {
    const auto before = std::prev(behind);
    if (before->first + before->second == offset) {
      before->second += length;
      return;
    }
  }
  ranges_.emplace(offset, length);
}

std::uint64_t FreeSpace::cut_end(std::uint64_t end) {
  if (ranges_.empty()) return end;
  const auto last = std::prev(ranges_.end());
  const auto [offset, length] = *last;
  if (offset + length != end) return end;
  ranges_.erase(last);
  bytes_ -= length;
  return offset;
}

}  // namespace missive::cache
