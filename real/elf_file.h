#pragma once
// Reading programs (elf(5), 64 bits, x86-64) that somebody else wrote: headers and segments, each
// field held against the file and against an upper limit before it is used. What a loader takes
// beyond that is its own: real/domains/pie/elf.h, real/launch/static_program.h.
//
// All that refuse throw InputError, one line that begins with `name`.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <elf.h>

namespace missive::elf {

constexpr std::uint64_t kPage = 4096;
inline std::uint64_t page_down(std::uint64_t x) { return x & ~(kPage - 1); }
inline std::uint64_t page_up(std::uint64_t x) { return page_down(x + kPage - 1); }

struct Segment {
  std::uint64_t address = 0;  // offset from where the image is loaded; ET_EXEC: the address itself
  std::uint64_t memory = 0;   // bytes in memory; beyond `file` they are zero
  std::uint64_t offset = 0;   // in the file; the same within a page as `address`
  std::uint64_t file = 0;
  bool write = false;
  bool execute = false;

  std::uint64_t first_page() const { return page_down(address); }
  std::uint64_t end_page() const { return page_up(address + memory); }
};

[[noreturn]] void refuse(const std::string& name, const std::string& why);

// Not ELF, another machine, truncated, absurd numbers of program headers. Of any type (e_type).
Elf64_Ehdr read_header(std::span<const std::byte> file, const std::string& name);
// `index` below header.e_phnum.
Elf64_Phdr read_program_header(std::span<const std::byte> file, const Elf64_Ehdr& header,
                               std::size_t index, const std::string& name);

// How far up segments may reach, and what a refusal says of it.
struct Reach {
  std::uint64_t end = 0;
  const char* why = "";
};
// A segment that lies within the file and ends below `reach`.
Segment read_segment(const Elf64_Phdr& header, std::size_t file_size, const Reach& reach,
                     const std::string& name);

// Appends `next` unless it is empty. Promised of the list: ascending, no page in two of them, none
// both writable and executable, and those that are not writable are all from the file.
void add_segment(std::vector<Segment>& segments, const Segment& next, const std::string& name);

// The entry point lies in an executable segment's bytes from the file.
void check_entry(std::uint64_t entry, const std::vector<Segment>& segments,
                 const std::string& name);
// Where the program headers are in memory (AT_PHDR).
std::uint64_t address_of_headers(const Elf64_Ehdr& header, const std::vector<Segment>& segments,
                                 const std::string& name);
// Of PT_TLS and PT_DYNAMIC: their bytes lie in a segment's bytes from the file.
void check_inside(const Elf64_Phdr& header, const std::vector<Segment>& segments,
                  const std::string& name);

}  // namespace missive::elf
