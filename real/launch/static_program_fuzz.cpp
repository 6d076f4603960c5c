// Programs in images: what a plan says can be mapped without touching anything else. The input is
// the program's file.

#include <algorithm>
#include <cstring>

#include <elf.h>
#include <sys/mman.h>

#include "real/fuzz/fuzz_target.h"
#include "real/launch/static_program.h"
#include "real/measure/tiny_program.h"

namespace missive::fuzz {

namespace {

constexpr std::uint64_t kPage = 4096, kOffset = 65536, kEnd = 1ull << 47;

void check_part(const launch::LoadPart& part, std::uint64_t file, bool fixed) {
  require(part.address % kPage == 0 && part.offset % kPage == 0 && part.mapped % kPage == 0 &&
              part.anonymous % kPage == 0,
          "whole pages");
  require(part.mapped + part.anonymous > 0, "no part is empty");
  require(part.address < kEnd && part.mapped < kEnd && part.anonymous < kEnd, "within a process");
  require(!fixed || part.address >= 65536, "nothing at address 0");
  require((part.protection & PROT_WRITE) == 0 || (part.protection & PROT_EXEC) == 0,
          "none is writable and executable");
  if (part.mapped == 0) return;
  require(part.offset >= kOffset && part.offset + part.mapped < kOffset + file + kPage,
          "each page holds a byte of the file");
  const std::uint64_t end = part.address + part.mapped;
  require(
      part.zero == 0 || (part.zero < end && part.zero > part.address && end - part.zero < kPage),
      "zeros fill the last page");
  require(part.zero == 0 || (part.protection & PROT_WRITE) != 0, "zeros are written");
  require(part.anonymous == 0 || (part.protection & PROT_WRITE) != 0, "constants are in the file");
}

void run(std::span<const std::byte> input) {
  accepts([&] {
    const launch::LoadPlan plan = launch::plan_static_program(input, kOffset, "program");
    require(plan.parts > 0 && plan.parts <= launch::kMaxParts, "parts there are");
    std::uint64_t end = 0;
    bool entered = false, described = false;
    for (std::uint64_t i = 0; i < plan.parts; ++i) {
      const launch::LoadPart& part = plan.part[i];
      check_part(part, input.size(), plan.span == 0);
      require(part.address >= end, "parts ascend and do not overlap");
      end = part.address + part.mapped + part.anonymous;
      const auto has = [&](std::uint64_t at, std::uint64_t bytes) {
        return at >= part.address && at + bytes <= part.address + part.mapped;
      };
      entered = entered || ((part.protection & PROT_EXEC) != 0 && has(plan.entry, 1));
      described = described || has(plan.headers, plan.header_count * sizeof(Elf64_Phdr));
    }
    require(entered, "the entry point is code");
    require(described, "the program headers are there");
    require(plan.span == 0 || (plan.span >= end && plan.span <= (2ull << 30) + kPage),
            "a static PIE spans what it has");
    require(plan.span == 0 || (plan.alignment >= kPage && plan.alignment <= (2u << 20) &&
                               (plan.alignment & (plan.alignment - 1)) == 0),
            "it is aligned to what can be given");
  });
}

// The first page of a program with code, constants, and data that is longer in memory.
Bytes program_of(std::uint16_t type) {
  std::string text = measure::reading_program("ready\n", 2 * kPage, kPage);
  text.resize(3 * kPage);
  Elf64_Ehdr header;
  std::memcpy(&header, text.data(), sizeof header);
  header.e_type = type;
  header.e_phnum = 5;
  header.e_phoff = 512;
  const auto add = [&](std::size_t at, std::uint32_t kind, std::uint32_t flags,
                       std::uint64_t address, std::uint64_t offset, std::uint64_t file,
                       std::uint64_t memory) {
    const Elf64_Phdr h{kind, flags, offset, address, address, file, memory, kPage};
    std::memcpy(text.data() + header.e_phoff + at * sizeof h, &h, sizeof h);
  };
  const std::uint64_t base = type == ET_EXEC ? 0x400000 : 0;
  header.e_entry = base + 200;
  add(0, PT_LOAD, PF_R | PF_X, base, 0, kPage, kPage);
  add(1, PT_LOAD, PF_R, base + kPage, kPage, 300, 300);
  add(2, PT_LOAD, PF_R | PF_W, base + 3 * kPage + 64, kPage + 64, 5000, 20000);
  add(3, PT_TLS, PF_R, base + 3 * kPage + 64, kPage + 64, 16, 32);
  add(4, PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0);
  std::memcpy(text.data(), &header, sizeof header);
  return bytes_of(text);
}

std::vector<Bytes> seeds() {
  std::vector<Bytes> all = {program_of(ET_EXEC), program_of(ET_DYN),
                            bytes_of(measure::tiny_program("ready\n"))};
  for (const Bytes& each : all)
    require(accepts([&] { launch::plan_static_program(each, kOffset, "program"); }),
            "seeds are programs");
  return all;
}

}  // namespace

const Target kTarget = {run, seeds, 20'000};

}  // namespace missive::fuzz
