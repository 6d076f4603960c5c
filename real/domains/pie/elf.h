#pragma once
// Position-independent executables (elf(5), ET_DYN). A static one, without PT_INTERP, as the loader
// needs it: checked once, completely, before anything is mapped. Of a dynamic one, its loader.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "real/elf_file.h"

namespace missive::domains::pie {

using elf::kPage;
using elf::page_down;
using elf::page_up;
using elf::Segment;

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
