#pragma once
// Which bytes of a file are free: ranges that neither overlap nor touch. Not for two threads.

#include <cstdint>
#include <map>
#include <optional>

namespace missive::cache {

class FreeSpace {
 public:
  // The lowest range that is long enough, first part of it: contents stay near the file's
  // beginning, so that its end can be cut off. Nothing when none is.
  std::optional<std::uint64_t> take(std::uint64_t length);
  // Joined with its neighbours. The range must not be free in part or whole.
  void give(std::uint64_t offset, std::uint64_t length);
  // The range that ends at `end` is no longer counted; returns where it began, or `end`.
  std::uint64_t cut_end(std::uint64_t end);

  std::uint64_t bytes() const { return bytes_; }
  std::size_t ranges() const { return ranges_.size(); }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;  // offset, length
  std::uint64_t bytes_ = 0;
};

}  // namespace missive::cache
