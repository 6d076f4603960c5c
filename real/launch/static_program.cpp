#include "real/launch/static_program.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include <sys/mman.h>

#include "models/error.h"
#include "real/elf_file.h"
#include "real/zar/resolve.h"

namespace missive::launch {

namespace {

using elf::refuse;
using elf::Segment;

constexpr std::uint64_t kUserEnd = 0x7ffffffff000;  // TASK_SIZE, less a page
constexpr std::uint64_t kLowest = 64 * 1024;        // vm.mmap_min_addr of every distribution
constexpr std::uint64_t kHuge = 2ull << 20;
constexpr elf::Reach kAnywhere{kUserEnd, "addresses of a process end at 128 TiB"};
constexpr elf::Reach kRelative{2ull << 30, "a static PIE spans at most 2 GiB"};

const char* const kElse = "; take delivery \"extract\", \"fuse\" or \"erofs\"";

void check_type(const Elf64_Ehdr& header, const std::string& name) {
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
    refuse(name, "not an executable (ELF type " + std::to_string(header.e_type) + ")");
}

// 0 asks for nothing; the smallest there is, a page, is kept anyway.
std::uint64_t alignment_of(const Elf64_Phdr& h, const std::string& name) {
  if (h.p_align > kHuge || (h.p_align & (h.p_align - 1)) != 0)
    refuse(name, "damaged ELF file: a segment aligned to " + std::to_string(h.p_align) +
                     "; powers of two up to 2 MiB can be given");
  return std::max(h.p_align, elf::kPage);
}

LoadPart part_of(const Segment& s, std::uint64_t offset) {
  LoadPart part;
  part.address = s.first_page();
  if (s.file != 0) {
    part.offset = elf::page_down(offset + s.offset);
    part.mapped = elf::page_up(s.address + s.file) - part.address;
  }
  part.anonymous = s.end_page() - part.address - part.mapped;
  if (s.write && s.file != 0 && (s.address + s.file) % elf::kPage != 0)
    part.zero = s.address + s.file;
  part.protection = PROT_READ | (s.write ? PROT_WRITE : 0U) | (s.execute ? PROT_EXEC : 0U);
  return part;
}

void set_name(LoadPlan& plan, const std::string& path) {
  const std::string base = path.substr(path.rfind('/') + 1);
  std::memcpy(plan.name, base.data(), std::min(base.size(), sizeof plan.name - 1));
}

// All that planning reads of the file: its header, and the table of program headers, as far as they
// lie in it.
void look_at_headers(std::span<const std::byte> file, std::uint64_t offset, const LookAt& look_at) {
  Elf64_Ehdr header{};
  look_at(offset, std::min(file.size(), sizeof header));
  if (file.size() < sizeof header) return;
  std::memcpy(&header, file.data(), sizeof header);
  if (header.e_phoff >= file.size()) return;
  const std::uint64_t table = std::uint64_t{header.e_phnum} * sizeof(Elf64_Phdr);
  look_at(offset + header.e_phoff, std::min<std::uint64_t>(table, file.size() - header.e_phoff));
}

struct Found {
  std::string path;
  std::uint32_t entry;
};

Found find_program(const zar::Image& image, const std::vector<std::string>& paths) {
  // A relative one would start from the application's home, which is empty.
  for (const std::string& path : paths)
    if (const auto entry = path.starts_with('/') ? zar::resolve(image, path) : std::nullopt)
      return {path, *entry};
  throw InputError("delivery mmap: the image has no program " +
                   (paths.empty() ? std::string("to start") : paths.back()) +
                   "; check the application's command");
}

}  // namespace

LoadPlan plan_static_program(std::span<const std::byte> file, std::uint64_t offset,
                             const std::string& name) {
  const Elf64_Ehdr header = elf::read_header(file, name);
  check_type(header, name);
  const bool relative = header.e_type == ET_DYN;
  LoadPlan plan;
  std::vector<Segment> segments;
  std::vector<Elf64_Phdr> inner;
  std::uint64_t alignment = elf::kPage;
  for (std::size_t i = 0; i < header.e_phnum; ++i) {
    const Elf64_Phdr h = elf::read_program_header(file, header, i, name);
    if (h.p_type == PT_INTERP)
      refuse(name, std::string("a dynamic program, whose loader and libraries are files") + kElse);
    if (h.p_type == PT_GNU_STACK && (h.p_flags & PF_X) != 0)
      refuse(name, std::string("it wants an executable stack") + kElse);
    if (h.p_type == PT_LOAD) {
      alignment = std::max(alignment, alignment_of(h, name));
      elf::add_segment(segments,
                       elf::read_segment(h, file.size(), relative ? kRelative : kAnywhere, name),
                       name);
    }
    if (h.p_type == PT_DYNAMIC || h.p_type == PT_TLS) inner.push_back(h);
  }
  if (segments.empty()) refuse(name, "damaged ELF file: nothing to load");
  if (segments.size() > kMaxParts)
    refuse(name, std::to_string(segments.size()) + " segments, more than " +
                     std::to_string(kMaxParts) + kElse);
  if (!relative && segments.front().address < kLowest)
    refuse(name, "linked at " + std::to_string(segments.front().address) +
                     ", below what a process may map");
  elf::check_entry(header.e_entry, segments, name);
  for (const Elf64_Phdr& h : inner) elf::check_inside(h, segments, name);
  plan.headers = elf::address_of_headers(header, segments, name);
  plan.header_count = header.e_phnum;
  plan.entry = header.e_entry;
  if (relative) {
    plan.span = segments.back().end_page();
    plan.alignment = alignment;
  }
  for (const Segment& s : segments) plan.part[plan.parts++] = part_of(s, offset);
  return plan;
}

LoadPlan plan_static_program(const zar::Image& image, const std::vector<std::string>& paths,
                             const LookAt& look_at) {
  const Found found = find_program(image, paths);
  const zar::Entry& entry = image.entries()[found.entry];
  const std::string name = "delivery mmap: " + found.path;
  if (entry.kind != zar::EntryKind::file || (entry.mode & 0111) == 0)
    refuse(name, "not an executable file; check the application's command");
  if (entry.in_extents)
    refuse(name, std::string("it lies in pieces in the image (sparse or partial)") + kElse);
  if (entry.size == 0 || entry.offset % elf::kPage != 0)
    refuse(name, std::string("it does not start on a page of the image, as files below a page may "
                             "not") +
                     kElse);
  const auto content = image.content(entry);
  if (look_at) look_at_headers(content, entry.offset, look_at);
  LoadPlan plan = plan_static_program(content, entry.offset, name);
  set_name(plan, found.path);
  return plan;
}

}  // namespace missive::launch
