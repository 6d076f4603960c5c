#include "real/cache/disk.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

namespace missive::cache {
namespace {

bool is_full(int error) { return error == ENOSPC || error == EDQUOT || error == EFBIG; }
[[noreturn]] void full(const std::string& where) {
  throw NoRoom(where + ": the disk is full; free some space or use another directory");
}

}  // namespace

UniqueFd open_file(int directory, const char* name, const std::string& where) {
  UniqueFd fd(::openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) throw_errno(where + ": cannot open " + name);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) throw_errno(where + ": cannot stat " + name);
  if (!S_ISREG(status.st_mode)) throw RunError(where + ": " + name + " is not a regular file");
  return fd;
}

std::uint64_t size_of(int fd, const std::string& where) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) throw_errno(where + ": cannot stat");
  return static_cast<std::uint64_t>(status.st_size);
}

bool read_at(int fd, std::span<std::byte> into, std::uint64_t offset, const std::string& where) {
  while (!into.empty()) {
    const ssize_t n = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(where + ": cannot read");
    if (n == 0) return false;
    into = into.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return true;
}

void write_at(int fd, std::span<const std::byte> bytes, std::uint64_t offset,
              const std::string& where) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && is_full(errno)) full(where);
    if (n < 0) throw_errno(where + ": cannot write");
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void reserve(int fd, std::uint64_t offset, std::uint64_t bytes, const std::string& where) {
  while (::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                     static_cast<off_t>(bytes)) != 0) {
    if (is_full(errno)) full(where);
    if (errno != EINTR) return;  // EOPNOTSUPP, ENOSYS: nothing is promised there
  }
}

void sync(int fd, const std::string& where) {
  if (::fdatasync(fd) != 0) throw_errno(where + ": cannot write to the disk");
}

void truncate(int fd, std::uint64_t size, const std::string& where) {
  if (::ftruncate(fd, static_cast<off_t>(size)) != 0) throw_errno(where + ": cannot truncate");
}

std::uint32_t crc32_of(std::span<const std::byte> bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace missive::cache
