#pragma once
// The pieces of address space that one program of this process has mapped: a set of addresses, kept
// as intervals.

#include <cstddef>
#include <cstdint>
#include <map>

namespace missive::domains::pie {

class Regions {
 public:
  using Address = std::uintptr_t;

  // [begin, begin + size) belongs to the set, whatever did before. Sizes are not checked for
  // overflow: they are those of mappings that exist.
  void add(Address begin, std::size_t size);
  // It does not, whatever did.
  void remove(Address begin, std::size_t size);

  bool contains(Address begin, std::size_t size = 1) const;
  std::size_t bytes() const;
  bool empty() const { return intervals_.empty(); }
  // Begin and end of each interval, ascending; none touches the next.
  const std::map<Address, Address>& intervals() const { return intervals_; }

 private:
  std::map<Address, Address> intervals_;
};

}  // namespace missive::domains::pie
