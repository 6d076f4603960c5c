#include "real/domains/pie/elf.h"

namespace missive::domains::pie {

namespace {

using elf::refuse;

constexpr elf::Reach kReach{2ull << 30,  // of a PC-relative access
                            "at most 2 GiB in all can be loaded"};

// `option`: what to link the program with instead.
Elf64_Ehdr read_header(std::span<const std::byte> file, const std::string& name,
                       const std::string& option) {
  const Elf64_Ehdr header = elf::read_header(file, name);
  if (header.e_type == ET_EXEC)
    refuse(name,
           "linked at a fixed address (ET_EXEC), so it cannot be loaded into a running "
           "process; link it with " +
               option);
  if (header.e_type != ET_DYN)
    refuse(name, "not an executable (ELF type " + std::to_string(header.e_type) + ")");
  return header;
}

void add_segment(Program& program, const Segment& s, const std::string& name) {
  if (s.memory != 0 && !program.segments.empty() && program.segments.back().write && !s.write)
    refuse(name, "the segment at " + std::to_string(s.address) +
                     " is read-only behind a writable one; link code and constants first");
  elf::add_segment(program.segments, s, name);
}

}  // namespace

Program read_elf(std::span<const std::byte> file, const std::string& name) {
  const Elf64_Ehdr header = read_header(file, name, "-static-pie");
  Program program;
  program.entry = header.e_entry;
  program.header_count = header.e_phnum;
  std::vector<Elf64_Phdr> inner;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const Elf64_Phdr h = elf::read_program_header(file, header, i, name);
    if (h.p_type == PT_INTERP)
      refuse(name,
             "a dynamic PIE: it needs its own dynamic loader (PT_INTERP), where a static one is "
             "wanted; link it with -static-pie");
    if (h.p_type == PT_LOAD)
      add_segment(program, elf::read_segment(h, file.size(), kReach, name), name);
    if (h.p_type == PT_DYNAMIC || h.p_type == PT_TLS) inner.push_back(h);
  }
  if (program.segments.empty()) refuse(name, "damaged ELF file: nothing to load");
  if (program.segments.front().first_page() != 0)
    refuse(name, "damaged ELF file: its first segment is not at address 0");
  elf::check_entry(program.entry, program.segments, name);
  program.headers = elf::address_of_headers(header, program.segments, name);
  for (const Elf64_Phdr& h : inner) elf::check_inside(h, program.segments, name);
  return program;
}

std::string read_interpreter(std::span<const std::byte> file, const std::string& name) {
  const Elf64_Ehdr header = read_header(file, name, "-pie");
  std::string path;
  bool loads = false;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const Elf64_Phdr h = elf::read_program_header(file, header, i, name);
    if (h.p_type != PT_LOAD && h.p_type != PT_INTERP) continue;
    const Segment s = elf::read_segment(h, file.size(), kReach, name);
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
