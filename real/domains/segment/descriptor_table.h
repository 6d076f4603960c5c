#pragma once
// Segments of this process: pairs of a code and a data segment over the same memory, in its local
// descriptor table (modify_ldt(2); Intel SDM, vol. 3A, 3.4.5). The processor checks base and limit
// of every access by 32-bit code; 64-bit code is not checked at all.

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace missive::domains::segment {

constexpr std::size_t kEntries = 8192;  // LDT_ENTRIES, all threads of the process together

class Segments {
 public:
  // Over [base, base + size), whole pages below 4 GiB. Throws RunError: the table is full, or the
  // kernel refuses.
  Segments(std::uint32_t base, std::size_t size);
  Segments(const Segments&) = delete;
  Segments& operator=(const Segments&) = delete;
  ~Segments();

  // Selectors, of ring 3.
  std::uint16_t code() const { return selector(entry_); }
  std::uint16_t data() const { return selector(entry_ + 1); }

  // The index of a pair from a selector of its code; selectors of the kernel's own table have none.
  static bool local(std::uint16_t selector) { return (selector & 4) != 0; }
  static std::size_t pair(std::uint16_t code) { return code >> 4; }

 private:
  static std::uint16_t selector(std::size_t entry) {
    return static_cast<std::uint16_t>(entry << 3 | 7);
  }

  std::size_t entry_;  // even: the code segment; behind it the data segment
};

// Empty when this kernel lets processes have segments, otherwise why not.
std::string segments_unavailable();

}  // namespace missive::domains::segment
