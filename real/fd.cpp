#include "real/fd.h"

#include <cerrno>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

#include "models/error.h"

namespace missive {

void UniqueFd::reset(int fd) {
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    if (!data_.empty()) ::munmap(data_.data(), data_.size());
    data_ = std::exchange(other.data_, {});
  }
  return *this;
}

Mapping::~Mapping() {
  if (!data_.empty()) ::munmap(data_.data(), data_.size());
}

Mapping Mapping::read_only(int fd, std::size_t length, const std::string& what) {
  void* p = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED) throw_errno("cannot map " + what);
  Mapping m;
  m.data_ = {static_cast<std::byte*>(p), length};
  return m;
}

Mapping Mapping::anonymous(std::size_t length, const std::string& what) {
  void* p = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) throw_errno("cannot get memory for " + what);
  // Where huge pages are to be had on request, a fresh page costs one fault per 2 MiB instead of
  // 512. madvise(2); a refusal only costs time.
  ::madvise(p, length, MADV_HUGEPAGE);
  Mapping m;
  m.data_ = {static_cast<std::byte*>(p), length};
  return m;
}

void throw_errno(const std::string& what) {
  const int error = errno;
  throw RunError(what + ": " + std::strerror(error));
}

}  // namespace missive
