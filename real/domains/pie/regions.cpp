#include "real/domains/pie/regions.h"

#include <algorithm>
#include <iterator>

namespace missive::domains::pie {

void Regions::add(Address begin, std::size_t size) {
  if (size == 0) return;
  Address end = begin + size;
  auto at = intervals_.upper_bound(begin);
  if (at != intervals_.begin() && std::prev(at)->second >= begin) --at;
  while (at != intervals_.end() && at->first <= end) {  // swallows what it touches
    begin = std::min(begin, at->first);
    end = std::max(end, at->second);
    at = intervals_.erase(at);
  }
  intervals_.emplace(begin, end);
}

void Regions::remove(Address begin, std::size_t size) {
  const Address end = begin + size;
  auto at = intervals_.upper_bound(begin);
  if (at != intervals_.begin()) --at;
  while (at != intervals_.end() && at->first < end) {
    const auto [first, last] = *at;
    if (last <= begin) {
      ++at;
      continue;
    }
    at = intervals_.erase(at);
    if (first < begin) intervals_.emplace(first, begin);
    if (last > end) intervals_.emplace(end, last);
  }
}

bool Regions::contains(Address begin, std::size_t size) const {
  const auto at = intervals_.upper_bound(begin);
  if (at == intervals_.begin()) return false;
  const Address end = std::prev(at)->second;
  return begin < end && size <= end - begin;
}

std::size_t Regions::bytes() const {
  std::size_t sum = 0;
  for (const auto& [begin, end] : intervals_) sum += end - begin;
  return sum;
}

}  // namespace missive::domains::pie
