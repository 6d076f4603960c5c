#pragma once
// Free memory that is really there.

#include <cstddef>
#include <cstdint>
#include <span>

#include "real/fd.h"

namespace missive::measure {

// Memory held ready for what is measured. A hypervisor may take from a virtual machine what is free
// in it for some seconds (free page reporting, balloons); the first touch of such a page then costs
// the hypervisor's work, here some 2.5 us instead of 0.4 us, in some launches and not in others. So
// a reserve is kept busy, and given back to the kernel right before something is measured, which
// then gets those pages.
//
// A child made by fork(2) does not inherit it.
class MemoryReserve {
 public:
  // Touches `bytes` in single pages and as many in huge ones, since the kernel keeps the two apart
  // when they are free; or half of what is available (MemAvailable of proc(5)) where that is less.
  // Throws RunError when the kernel refuses.
  explicit MemoryReserve(std::uint64_t bytes);

  // As long as this is there the memory is free.
  class [[nodiscard]] Loan {
   public:
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan();  // touches it again

   private:
    friend class MemoryReserve;
    Loan(std::span<std::byte> pages, std::span<std::byte> huge_pages);
    std::span<std::byte> pages_, huge_pages_;
  };
  // `bytes` of each kind, at most all. One loan at a time.
  Loan lend(std::uint64_t bytes);

  std::uint64_t bytes() const { return pages_.bytes().size(); }  // of each kind

 private:
  Mapping pages_, huge_pages_;
};

}  // namespace missive::measure
