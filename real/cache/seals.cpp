#include "real/cache/seals.h"

#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>

#include "models/error.h"
#include "real/fd.h"

namespace missive::cache {
namespace {

constexpr int kNeeded = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
constexpr std::chrono::milliseconds kBetweenAttempts(10);

}  // namespace

void require_sealed(int fd, std::uint64_t length, const std::string& where) {
  // Seals first: only once they are known to be there can the size no longer change.
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0) throw RunError(where + ": the descriptor is not of a memory file with seals");
  if ((seals & kNeeded) != kNeeded) {
    throw RunError(where + ": the memory is not sealed against " +
                   ((seals & F_SEAL_WRITE) == 0 ? "writing" : "a change of its size") +
                   "; it is not used");
  }
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw_errno(where + ": cannot stat the memory file");
  if (!S_ISREG(status.st_mode) || static_cast<std::uint64_t>(status.st_size) != length) {
    throw RunError(where + ": the memory holds " + std::to_string(status.st_size) +
                   " bytes instead of " + std::to_string(length));
  }
}

void seal(int fd, const std::string& where, std::chrono::milliseconds patience) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (::fcntl(fd, F_ADD_SEALS, kNeeded | F_SEAL_SEAL) != 0) {
    if (errno != EBUSY || std::chrono::steady_clock::now() >= end)
      throw_errno(where + ": cannot seal");
    std::this_thread::sleep_for(kBetweenAttempts);
  }
}

}  // namespace missive::cache
