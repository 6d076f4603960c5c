#include "real/measure/tiny_program.h"

#include <array>
#include <cstring>
#include <stdexcept>

#include <elf.h>

namespace missive::measure {

namespace {

constexpr std::uint32_t kCode = 0x400000, kData = 0x10000000;  // where the segments are
constexpr std::uint64_t kPage = 4096;

std::string number(std::uint64_t value) {
  std::string text(4, 0);
  const auto low = static_cast<std::uint32_t>(value);
  std::memcpy(text.data(), &low, sizeof low);
  return text;
}

// Reads one byte of each page of the second segment's first `bytes`.
std::string touch(std::uint64_t bytes) {
  return '\xbe' + number(kData) +                              // mov $data,%esi
         '\xbf' + number(kData + bytes) +                      // mov $end,%edi
         std::string("\x39\xfe\x73\x0a\x8a\x06\x81\xc6", 8) +  // again: cmp %edi,%esi; jae done;
         number(kPage) + "\xeb\xf2";  // mov (%rsi),%al; add $4096,%esi; jmp again; done:
}

// System call numbers: arch/x86/entry/syscalls/syscall_64.tbl.
std::string code(const std::string& says) {
  std::string text;
  if (!says.empty()) {
    text += std::string("\xb8\x01\x00\x00\x00", 5);  // mov $1,%eax   write
    text += std::string("\xbf\x01\x00\x00\x00", 5);  // mov $1,%edi   stdout
    text +=
        std::string("\x48\x8d\x35\x10\x00\x00\x00", 7);  // lea 16(%rip),%rsi: behind the jump below
    text += '\xba';                                      // mov $size,%edx
    text += std::string{static_cast<char>(says.size()), 0, 0, 0};
    text += "\x0f\x05";  // syscall
  }
  text += std::string("\xb8\x22\x00\x00\x00\x0f\x05\xeb\xf7",
                      9);  // again: mov $34,%eax (pause); syscall; jmp again
  return text + says;
}

Elf64_Phdr segment_of(std::uint32_t flags, std::uint64_t address, std::uint64_t offset,
                      std::uint64_t bytes) {
  Elf64_Phdr segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = flags;
  segment.p_offset = offset;
  segment.p_vaddr = segment.p_paddr = address;
  segment.p_filesz = segment.p_memsz = bytes;
  segment.p_align = kPage;
  return segment;
}

// An executable of `body`, and of a read-only segment behind its page unless `data` is 0.
std::string executable(const std::string& body, std::uint64_t data) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_EXEC;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = data == 0 ? 1 : 2;
  const std::uint64_t front = sizeof header + header.e_phnum * sizeof(Elf64_Phdr);
  header.e_entry = kCode + front;
  const std::array<Elf64_Phdr, 2> segments{segment_of(PF_R | PF_X, kCode, 0, front + body.size()),
                                           segment_of(PF_R, kData, kPage, data)};
  std::string program(reinterpret_cast<const char*>(&header), sizeof header);
  program.append(reinterpret_cast<const char*>(segments.data()),
                 header.e_phnum * sizeof(Elf64_Phdr));
  return program + body;
}

void check(const std::string& says) {
  if (says.size() > 120) throw std::invalid_argument("tiny_program: at most 120 bytes");
}

}  // namespace

std::string tiny_program(const std::string& says) {
  check(says);
  return executable(code(says), 0);
}

std::string reading_program(const std::string& says, std::uint64_t data, std::uint64_t touched) {
  check(says);
  if (data == 0 || data > (std::uint64_t{1} << 30) || touched > data)
    throw std::invalid_argument("reading_program: 1 byte to 1 GiB, and no more touched than there");
  std::string program = executable(touch(touched) + code(says), data);
  program.resize(kPage);
  return program;
}

}  // namespace missive::measure
