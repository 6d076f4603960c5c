#include "real/measure/memory_reserve.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

#include <sys/mman.h>

namespace missive::measure {

namespace {

constexpr std::uint64_t kPage = 4096, kUnit = 1 << 20;

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

MemoryReserve::MemoryReserve(std::uint64_t bytes)
    : memory_(Mapping::anonymous(
          std::max(std::min(bytes, available_bytes() / 2) / kUnit, std::uint64_t{1}) * kUnit,
          "a reserve for measurements")) {
  const auto memory = memory_.writable();
  // Page by page, as most memory is asked for: what the kernel has left of broken huge pages comes
  // first, in the reserve as in what is measured.
  if (::madvise(memory.data(), memory.size(), MADV_NOHUGEPAGE) != 0 ||
      ::madvise(memory.data(), memory.size(), MADV_DONTFORK) != 0)
    throw_errno("cannot set up a reserve of memory");
  touch(memory);
}

MemoryReserve::Loan::Loan(std::span<std::byte> memory) : memory_(memory) {
  if (!memory.empty() && ::madvise(memory.data(), memory.size(), MADV_DONTNEED) != 0)
    throw_errno("cannot lend memory");
}

MemoryReserve::Loan::~Loan() { touch(memory_); }

MemoryReserve::Loan MemoryReserve::lend(std::uint64_t bytes) {
  const auto memory = memory_.writable();
  const std::uint64_t whole = (bytes + kUnit - 1) / kUnit * kUnit;
  return Loan(memory.first(std::min<std::uint64_t>(whole, memory.size())));
}

}  // namespace missive::measure
