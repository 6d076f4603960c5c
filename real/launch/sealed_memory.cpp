#include "real/launch/sealed_memory.h"

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/seals.h"

namespace missive::launch {

namespace {

// Linux 6.3; before, every memory file is executable.
#ifndef MFD_EXEC
constexpr unsigned MFD_EXEC = 0x10U;
#endif

UniqueFd filled_and_sealed(UniqueFd file, std::span<const std::byte> bytes,
                           const std::string& what) {
  if (!file) throw_errno(what + ": cannot make a memory file");
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0) throw_errno(what + ": cannot fill a memory file");
    done += static_cast<std::size_t>(n);
  }
  cache::seal(file.get(), what);
  return file;
}

}  // namespace

UniqueFd sealed_file_of(std::span<const std::byte> bytes, const std::string& what) {
  return filled_and_sealed(UniqueFd(::memfd_create(what.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING)),
                           bytes, what);
}

UniqueFd sealed_program_of(std::span<const std::byte> bytes, const std::string& what) {
  constexpr unsigned kFlags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  UniqueFd file(::memfd_create(what.c_str(), kFlags | MFD_EXEC));
  if (!file && errno == EINVAL) file.reset(::memfd_create(what.c_str(), kFlags));
  if (!file && errno == EACCES) {
    throw NotAvailable(what +
                       ": this host runs no program from a memory file; set vm.memfd_noexec "
                       "to 0 or 1 (sysctl(8))");
  }
  return filled_and_sealed(std::move(file), bytes, what);
}

UniqueFd sealed_file_behind(std::span<const std::byte> memory) {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    std::uintptr_t from = 0, to = 0;
    std::uint64_t offset = 0;
    const int read =
        std::sscanf(line.c_str(), "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNx64, &from, &to, &offset);
    if (read != 3 || from != begin) continue;
    if (offset != 0 || to - from < memory.size()) return {};
    const std::string link = "/proc/self/map_files/" + line.substr(0, line.find(' '));
    UniqueFd file(::open(link.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return {};
    try {
      cache::require_sealed(file.get(), memory.size(), "image");
    } catch (const RunError&) {
      return {};
    }
    return file;
  }
  return {};
}

}  // namespace missive::launch
