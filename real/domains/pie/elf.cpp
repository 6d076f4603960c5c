#include "real/domains/pie/elf.h"

#include <cstring>

#include <elf.h>

#include "models/error.h"

namespace missive::domains::pie {

namespace {

constexpr std::uint64_t kMaxSpan = 2ull << 30;  // reach of a PC-relative access
constexpr std::size_t kMaxHeaders = 64;

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw InputError(name + ": " + why);
}

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

// `option`: what to link the program with instead.
Elf64_Ehdr read_header(std::span<const std::byte> file, const std::string& name,
                       const std::string& option) {
  if (file.size() < SELFMAG || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0)
    refuse(name, "not an ELF file");
  const auto header = read_at<Elf64_Ehdr>(file, 0, name);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64)
    refuse(name, "made for another machine (class " + std::to_string(header.e_ident[EI_CLASS]) +
                     ", machine " + std::to_string(header.e_machine) +
                     "); this loader takes x86-64 only");
  if (header.e_type == ET_EXEC)
    refuse(name,
           "linked at a fixed address (ET_EXEC), so it cannot be loaded into a running "
           "process; link it with " +
               option);
  if (header.e_type != ET_DYN)
    refuse(name, "not an executable (ELF type " + std::to_string(header.e_type) + ")");
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

Segment read_segment(const Elf64_Phdr& h, std::size_t file_size, const std::string& name) {
  const std::string which = "segment at address " + std::to_string(h.p_vaddr);
  if (h.p_filesz > file_size || h.p_offset > file_size - h.p_filesz)
    refuse(name, "truncated ELF file: " + which + " ends behind the file's " +
                     std::to_string(file_size) + " bytes");
  if (h.p_memsz < h.p_filesz || h.p_memsz > kMaxSpan || h.p_vaddr > kMaxSpan - h.p_memsz)
    refuse(name, "damaged ELF file: absurd " + which + " of " + std::to_string(h.p_memsz) +
                     " bytes; at most 2 GiB in all can be loaded");
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

void add_segment(Program& program, const Segment& s, const std::string& name) {
  if (s.memory == 0) return;
  if (!program.segments.empty()) {
    const Segment& before = program.segments.back();
    if (s.first_page() < before.end_page())
      refuse(name, "damaged ELF file: the segments at " + std::to_string(before.address) + " and " +
                       std::to_string(s.address) + " overlap, share a page or are out of order");
    if (before.write && !s.write)
      refuse(name, "the segment at " + std::to_string(s.address) +
                       " is read-only behind a writable one; link code and constants first");
  }
  if (!s.write && s.file < s.memory)
    refuse(name, "damaged ELF file: the read-only segment at " + std::to_string(s.address) +
                     " is longer in memory than in the file");
  program.segments.push_back(s);
}

void check_entry(const Program& program, const std::string& name) {
  for (const Segment& s : program.segments)
    if (s.execute && program.entry >= s.address && program.entry - s.address < s.file) return;
  refuse(name, "damaged ELF file: its entry point " + std::to_string(program.entry) +
                   " lies in no executable segment");
}

// The start-up code relocates itself and finds its thread-local storage through these.
void place_headers(Program& program, std::uint64_t offset, const std::string& name) {
  const std::uint64_t size = program.header_count * sizeof(Elf64_Phdr);
  for (const Segment& s : program.segments) {
    if (offset < s.offset || size > s.file || offset - s.offset > s.file - size) continue;
    program.headers = s.address + (offset - s.offset);
    return;
  }
  refuse(name, "its program headers are in no segment, so it could not relocate itself");
}

void check_inside(const Program& program, const Elf64_Phdr& h, const char* what,
                  const std::string& name) {
  for (const Segment& s : program.segments)
    if (h.p_vaddr >= s.address && h.p_filesz <= s.file &&
        h.p_vaddr - s.address <= s.file - h.p_filesz)
      return;
  refuse(name, std::string("damaged ELF file: its ") + what + " lies in no segment");
}

}  // namespace

Program read_elf(std::span<const std::byte> file, const std::string& name) {
  const Elf64_Ehdr header = read_header(file, name, "-static-pie");
  Program program;
  program.entry = header.e_entry;
  program.header_count = header.e_phnum;
  std::vector<Elf64_Phdr> inner;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const Elf64_Phdr h = read_program_header(file, header, i, name);
    if (h.p_type == PT_INTERP)
      refuse(name,
             "a dynamic PIE: it needs its own dynamic loader (PT_INTERP), where a static one is "
             "wanted; link it with -static-pie");
    if (h.p_type == PT_LOAD) add_segment(program, read_segment(h, file.size(), name), name);
    if (h.p_type == PT_DYNAMIC || h.p_type == PT_TLS) inner.push_back(h);
  }
  if (program.segments.empty()) refuse(name, "damaged ELF file: nothing to load");
  if (program.segments.front().first_page() != 0)
    refuse(name, "damaged ELF file: its first segment is not at address 0");
  check_entry(program, name);
  place_headers(program, header.e_phoff, name);
  for (const Elf64_Phdr& h : inner) {
    check_inside(program, h, h.p_type == PT_TLS ? "thread-local data" : "dynamic section", name);
    if (h.p_type == PT_TLS && (h.p_memsz < h.p_filesz || h.p_memsz > (1u << 20)))
      refuse(name,
             "damaged ELF file: " + std::to_string(h.p_memsz) + " bytes of thread-local data");
  }
  return program;
}

std::string read_interpreter(std::span<const std::byte> file, const std::string& name) {
  const Elf64_Ehdr header = read_header(file, name, "-pie");
  std::string path;
  bool loads = false;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const Elf64_Phdr h = read_program_header(file, header, i, name);
    if (h.p_type != PT_LOAD && h.p_type != PT_INTERP) continue;
    const Segment s = read_segment(h, file.size(), name);
    loads = loads || h.p_type == PT_LOAD;
    if (h.p_type != PT_INTERP) continue;
    path.assign(reinterpret_cast<const char*>(file.data() + s.offset), s.file);
    // A path that ends where the segment does, as the kernel wants it.
    if (path.find('\0') + 1 != path.size() || path.size() < 2)
      refuse(name, "damaged ELF file: the path of its dynamic loader is no text");
    path.pop_back();
  }
  if (!loads) refuse(name, "damaged ELF file: nothing to load");
  if (path.empty())
    refuse(name, "a static PIE, or a library: it asks for no dynamic loader (PT_INTERP)");
  return path;
}

}  // namespace missive::domains::pie
