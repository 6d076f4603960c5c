#pragma once
// Position-independent executables (elf(5), ET_DYN). A static one, without PT_INTERP, as the loader
// needs it: checked once, completely, before anything is mapped. Of a dynamic one, its loader.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace missive::domains::pie {

constexpr std::uint64_t kPage = 4096;
inline std::uint64_t page_down(std::uint64_t x) { return x & ~(kPage - 1); }
inline std::uint64_t page_up(std::uint64_t x) { return page_down(x + kPage - 1); }

struct Segment {
  std::uint64_t address = 0;  // offset from where the image is loaded
  std::uint64_t memory = 0;   // bytes in memory; beyond `file` they are zero
  std::uint64_t offset = 0;   // in the file; the same within a page as `address`
  std::uint64_t file = 0;
  bool write = false;
  bool execute = false;

  std::uint64_t first_page() const { return page_down(address); }
  std::uint64_t end_page() const { return page_up(address + memory); }
};

// Promised of a Program: segments ascending, not empty, no page in two of them, below 2 GiB,
// `file` and `offset` within the file, none both writable and executable; all that are not
// writable come before all that are; `entry` lies in an executable segment's bytes from the file.
struct Program {
  std::uint64_t entry = 0;
  std::uint64_t headers = 0;  // address of the program headers, in a segment (AT_PHDR)
  std::uint64_t header_count = 0;
  std::vector<Segment> segments;
};

// Throws InputError, one line that begins with `name`: not ELF, truncated, another machine, linked
// at a fixed address, needs a dynamic loader, segments that overlap or are absurd.
Program read_elf(std::span<const std::byte> file, const std::string& name);

// The path of the dynamic loader that a dynamic PIE asks for (PT_INTERP). That loader reads the
// rest, so only what it would fail at without a word is checked: throws InputError for what is not
// ELF, truncated, for another machine, at a fixed address, or needs no loader.
std::string read_interpreter(std::span<const std::byte> file, const std::string& name);

}  // namespace missive::domains::pie
