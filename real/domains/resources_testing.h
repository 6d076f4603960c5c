#pragma once
// For tests that count what a mechanism takes and leaves, and that run it into the kernel's limits.

#include <cstddef>
#include <fstream>
#include <string>

#include <fcntl.h>
#include <sys/mman.h>

namespace missive::domains::testing_resources {

inline std::size_t count_fds() {
  std::size_t n = 0;
  for (int fd = 0; fd < 4096; ++fd) n += ::fcntl(fd, F_GETFD) != -1;
  return n;
}

// Map entries of this process; those whose line holds `part`.
inline std::size_t count_maps(const std::string& part = "") {
  std::ifstream maps("/proc/self/maps");
  std::size_t lines = 0;
  for (std::string line; std::getline(maps, line);) lines += line.find(part) != std::string::npos;
  return lines;
}

inline std::size_t map_limit() {
  std::size_t limit = 0;
  std::ifstream("/proc/sys/vm/max_map_count") >> limit;
  return limit;
}

// Uses up map entries for the rest of this process's life, all but about `left`: every other page
// of a reservation gets another protection, which takes two entries. In a child process only.
inline void use_up_maps(std::size_t left) {
  constexpr std::size_t kPage = 4096;
  const std::size_t used = count_maps(), limit = map_limit();
  if (used + left >= limit) return;
  const std::size_t pairs = (limit - used - left) / 2;
  void* at = ::mmap(nullptr, 2 * pairs * kPage, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return;
  for (std::size_t i = 0; i < pairs; ++i)
    ::mprotect(static_cast<char*>(at) + 2 * i * kPage, kPage, PROT_READ);
}

}  // namespace missive::domains::testing_resources
