#include "real/domains/pie/descriptors.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace missive::domains::pie {

Descriptors::~Descriptors() {
  for (const int fd : own_) ::close(fd);
}

int Descriptors::real(std::int64_t fd) {
  if (!standard(fd)) return own_.count(static_cast<int>(fd)) == 1 ? static_cast<int>(fd) : -1;
  const auto i = static_cast<std::size_t>(fd);
  if (behind_[i] != kUnused) return behind_[i];
  made_[i].reset(::memfd_create(i == 0 ? "input" : "output", MFD_CLOEXEC));
  if (i == 0 && made_[i]) {
    for (std::size_t at = 0; at < input_.size();) {
      const ssize_t n =
          ::pwrite(made_[i].get(), input_.data() + at, input_.size() - at, static_cast<off_t>(at));
      if (n <= 0) break;
      at += static_cast<std::size_t>(n);
    }
  }
  return behind_[i] = made_[i].get();
}

std::int64_t Descriptors::opened(std::int64_t fd) {
  if (fd >= 0) own_.insert(static_cast<int>(fd));
  return fd;
}

std::int64_t Descriptors::close(std::int64_t fd) {
  const int behind = real(fd);
  if (behind < 0) return -EBADF;
  if (standard(fd)) behind_[static_cast<std::size_t>(fd)] = kClosed;
  if (own_.erase(behind) == 1) ::close(behind);
  return 0;
}

std::int64_t Descriptors::put_at(std::int64_t fd, std::int64_t where) {
  const int from = real(fd);
  if (from < 0) return -EBADF;
  if (fd == where) return where;
  if (!standard(where)) {
    // Not over one of this process's own.
    const auto to = static_cast<int>(where);
    if (own_.count(to) == 0 && ::fcntl(to, F_GETFD) != -1) return -EBADF;
    return ::dup3(from, to, O_CLOEXEC) < 0 ? -errno : opened(to);
  }
  const int copy = ::fcntl(from, F_DUPFD_CLOEXEC, 3);
  if (copy < 0) return -errno;
  close(where);
  own_.insert(copy);
  behind_[static_cast<std::size_t>(where)] = copy;
  return where;
}

std::size_t Descriptors::collected(std::int64_t fd) const {
  if (fd != 1 && fd != 2) return 0;
  const auto i = static_cast<std::size_t>(fd);
  struct stat s {};
  if (!made_[i] || behind_[i] != made_[i].get() || ::fstat(made_[i].get(), &s) != 0) return 0;
  return static_cast<std::size_t>(s.st_size);
}

std::string Descriptors::output(int fd, std::size_t most) const {
  const UniqueFd& file = made_.at(static_cast<std::size_t>(fd));
  struct stat s {};
  if (!file || ::fstat(file.get(), &s) != 0) return {};
  const auto size = static_cast<std::size_t>(s.st_size);
  std::string text(std::min(size, most), '\0');
  const ssize_t n =
      ::pread(file.get(), text.data(), text.size(), static_cast<off_t>(size - text.size()));
  text.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return text;
}

}  // namespace missive::domains::pie
