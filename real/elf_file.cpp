#include "real/elf_file.h"

#include <cstring>

#include "models/error.h"

namespace missive::elf {

namespace {

constexpr std::size_t kMaxHeaders = 64;
constexpr std::uint64_t kMaxThreadLocal = 1u << 20;

// Offsets in a file under attack: read by copy, never through a cast, never beyond the end.
template <typename T>
T read_at(std::span<const std::byte> file, std::uint64_t offset, const std::string& name) {
  if (offset > file.size() || file.size() - offset < sizeof(T))
    refuse(name, "truncated ELF file: " + std::to_string(file.size()) +
                     " bytes, a header would be at " + std::to_string(offset));
  T value;
  std::memcpy(&value, file.data() + offset, sizeof value);
  return value;
}

}  // namespace

void refuse(const std::string& name, const std::string& why) {
  throw InputError(name + ": " + why);
}

Elf64_Ehdr read_header(std::span<const std::byte> file, const std::string& name) {
  if (file.size() < SELFMAG || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0)
    refuse(name, "not an ELF file");
  const auto header = read_at<Elf64_Ehdr>(file, 0, name);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64)
    refuse(name, "made for another machine (class " + std::to_string(header.e_ident[EI_CLASS]) +
                     ", machine " + std::to_string(header.e_machine) +
                     "); this loader takes x86-64 only");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum > kMaxHeaders)
    refuse(name, "damaged ELF file: " + std::to_string(header.e_phnum) + " program headers of " +
                     std::to_string(header.e_phentsize) + " bytes");
  if (header.e_phoff > file.size()) refuse(name, "truncated ELF file: no program headers");
  return header;
}

Elf64_Phdr read_program_header(std::span<const std::byte> file, const Elf64_Ehdr& header,
                               std::size_t index, const std::string& name) {
  return read_at<Elf64_Phdr>(file, header.e_phoff + index * sizeof(Elf64_Phdr), name);
}

Segment read_segment(const Elf64_Phdr& h, std::size_t file_size, const Reach& reach,
                     const std::string& name) {
  const std::string which = "segment at address " + std::to_string(h.p_vaddr);
  if (h.p_filesz > file_size || h.p_offset > file_size - h.p_filesz)
    refuse(name, "truncated ELF file: " + which + " ends behind the file's " +
                     std::to_string(file_size) + " bytes");
  if (h.p_memsz < h.p_filesz || h.p_memsz > reach.end || h.p_vaddr > reach.end - h.p_memsz)
    refuse(name, "damaged ELF file: absurd " + which + " of " + std::to_string(h.p_memsz) +
                     " bytes; " + reach.why);
  if (h.p_vaddr % kPage != h.p_offset % kPage)
    refuse(name, "damaged ELF file: " + which + " and its file offset " +
                     std::to_string(h.p_offset) + " differ within a page");
  Segment s;
  s.address = h.p_vaddr, s.memory = h.p_memsz, s.offset = h.p_offset, s.file = h.p_filesz;
  s.write = (h.p_flags & PF_W) != 0;
  s.execute = (h.p_flags & PF_X) != 0;
  if (s.write && s.execute) refuse(name, which + " is writable and executable");
  return s;
}

void add_segment(std::vector<Segment>& segments, const Segment& next, const std::string& name) {
  if (next.memory == 0) return;
  if (!segments.empty() && next.first_page() < segments.back().end_page())
    refuse(name, "damaged ELF file: the segments at " + std::to_string(segments.back().address) +
                     " and " + std::to_string(next.address) +
                     " overlap, share a page or are out of order");
  if (!next.write && next.file < next.memory)
    refuse(name, "damaged ELF file: the read-only segment at " + std::to_string(next.address) +
                     " is longer in memory than in the file");
  segments.push_back(next);
}

void check_entry(std::uint64_t entry, const std::vector<Segment>& segments,
                 const std::string& name) {
  for (const Segment& s : segments)
    if (s.execute && entry >= s.address && entry - s.address < s.file) return;
  refuse(name, "damaged ELF file: its entry point " + std::to_string(entry) +
                   " lies in no executable segment");
}

std::uint64_t address_of_headers(const Elf64_Ehdr& header, const std::vector<Segment>& segments,
                                 const std::string& name) {
  const std::uint64_t offset = header.e_phoff, size = header.e_phnum * sizeof(Elf64_Phdr);
  for (const Segment& s : segments) {
    if (offset < s.offset || size > s.file || offset - s.offset > s.file - size) continue;
    return s.address + (offset - s.offset);
  }
  refuse(name, "its program headers are in no segment, so it could not relocate itself");
}

void check_inside(const Elf64_Phdr& h, const std::vector<Segment>& segments,
                  const std::string& name) {
  const bool threads = h.p_type == PT_TLS;
  bool inside = false;
  for (const Segment& s : segments) {
    const std::uint64_t room =
        h.p_filesz == 0 ? s.memory : s.file;  // what nobody reads may be zero
    inside = inside || (h.p_vaddr >= s.address && h.p_filesz <= room &&
                        h.p_vaddr - s.address <= room - h.p_filesz);
  }
  if (!inside)
    refuse(name, std::string("damaged ELF file: its ") +
                     (threads ? "thread-local data" : "dynamic section") + " lies in no segment");
  if (threads && (h.p_memsz < h.p_filesz || h.p_memsz > kMaxThreadLocal))
    refuse(name, "damaged ELF file: " + std::to_string(h.p_memsz) + " bytes of thread-local data");
}

}  // namespace missive::elf
