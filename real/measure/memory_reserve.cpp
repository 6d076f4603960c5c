#include "real/measure/memory_reserve.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include <sys/mman.h>

namespace missive::measure {

namespace {

constexpr std::uint64_t kPage = 4096, kUnit = 2 << 20;

std::uint64_t available_bytes() {
  std::ifstream in("/proc/meminfo");
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("MemAvailable:"))
      return std::stoull(line.substr(line.find_first_of("0123456789"))) * 1024;
  return std::numeric_limits<std::uint64_t>::max();
}

void touch(std::span<std::byte> memory) {
  for (std::size_t at = 0; at < memory.size(); at += kPage) memory[at] = std::byte{1};
}

}  // namespace

MemoryReserve::MemoryReserve(std::uint64_t bytes) {
  const std::uint64_t units = std::min(bytes, available_bytes() / 4) / kUnit;
  for (Mapping* part : {&pages_, &huge_pages_}) {
    *part =
        Mapping::anonymous(std::max(units, std::uint64_t{1}) * kUnit, "a reserve for measurements");
    const auto memory = part->writable();
    const bool single = part == &pages_;
    if ((single && ::madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE) != 0) ||
        ::madvise(memory.data(), memory.size(), MADV_DONTFORK) != 0)
      throw_errno("cannot set up a reserve of memory");
    touch(memory);
  }
}

MemoryReserve::Loan::Loan(std::span<std::byte> pages, std::span<std::byte> huge_pages)
    : pages_(pages), huge_pages_(huge_pages) {
  for (const auto& memory : {pages, huge_pages})
    if (!memory.empty() && ::madvise(memory.data(), memory.size(), MADV_DONTNEED) != 0)
      throw_errno("cannot lend memory");
}

MemoryReserve::Loan::~Loan() {
  touch(huge_pages_);
  touch(pages_);
}

MemoryReserve::Loan MemoryReserve::lend(std::uint64_t bytes) {
  const std::uint64_t lent =
      std::min<std::uint64_t>((bytes + kUnit - 1) / kUnit * kUnit, pages_.bytes().size());
  return {pages_.writable().first(lent), huge_pages_.writable().first(lent)};
}

}  // namespace missive::measure
