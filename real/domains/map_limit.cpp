#include "real/domains/map_limit.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include <fcntl.h>
#include <unistd.h>

#include "real/fd.h"

namespace missive::domains {

namespace {

// By system calls and from the stack: a process that has no map entry left may have no heap either.
template <typename Use>
void read_file(const char* path, Use use) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  char buffer[4096];
  for (ssize_t n; fd && (n = ::read(fd.get(), buffer, sizeof buffer - 1)) > 0;) {
    buffer[n] = '\0';
    use(buffer, static_cast<std::size_t>(n));
  }
}

}  // namespace

std::string map_limit_reached() {
  constexpr std::size_t kNear = 8;  // one request may need several entries
  const int error = errno;
  std::size_t limit = 0, used = 0;
  read_file("/proc/sys/vm/max_map_count",
            [&](const char* text, std::size_t) { limit = std::strtoull(text, nullptr, 10); });
  read_file("/proc/self/maps", [&](const char* text, std::size_t size) {
    used += static_cast<std::size_t>(std::count(text, text + size, '\n'));
  });
  errno = error;
  if (limit == 0 || used + kNear < limit) return {};
  return "this process has " + std::to_string(used) + " map entries, vm.max_map_count allows " +
         std::to_string(limit) + "; 'sysctl vm.max_map_count=" + std::to_string(2 * limit) +
         "' doubles that";
}

}  // namespace missive::domains
