#include "real/zar/output_file.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <string>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"

namespace missive::zar {

namespace {

// A name no other file of ours has: process, and a count within the process.
std::filesystem::path temporary_name(const std::filesystem::path& target) {
  static std::atomic<unsigned> count{0};
  return target.parent_path() /
         fmt::format(".{}.{}-{}", target.filename().string(), ::getpid(), count++);
}

}  // namespace

OutputFile::OutputFile(std::filesystem::path target, mode_t mode, Naming naming)
    : target_(std::move(target)) {
  if (naming == Naming::late) {
    const std::filesystem::path parent =
        target_.has_parent_path() ? target_.parent_path() : std::filesystem::path(".");
    fd_.reset(::open(parent.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode));
    if (fd_) return;
    // EOPNOTSUPP: the file system lacks it; EISDIR: the kernel does (open(2), O_TMPFILE).
    if (errno != EOPNOTSUPP && errno != EISDIR)
      throw_errno("cannot create a file in " + parent.string());
  }
  temporary_ = temporary_name(target_);
  fd_.reset(::open(temporary_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, mode));
  if (!fd_) {
    const std::string name = std::exchange(temporary_, {}).string();
    throw_errno("cannot create " + name);
  }
}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void OutputFile::write(std::span<const std::byte> data) {
  write_all(fd_.get(), data, "cannot write " + target_.string());
}

void OutputFile::write_at(std::span<const std::byte> data, std::uint64_t offset) const {
  while (!data.empty()) {
    const ssize_t n = ::pwrite(fd_.get(), data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("cannot write " + target_.string());
    data = data.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

void OutputFile::set_length(std::uint64_t length) const {
  if (::ftruncate(fd_.get(), static_cast<off_t>(length)) != 0)
    throw_errno("cannot write " + target_.string());
}

// False when the name is taken. An unnamed file gets a name through its entry in /proc (open(2)).
bool OutputFile::link_as(const std::filesystem::path& name) {
  const std::string source =
      temporary_.empty() ? "/proc/self/fd/" + std::to_string(fd_.get()) : temporary_.string();
  if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) == 0)
    return true;
  if (errno != EEXIST) throw_errno("cannot create " + name.string());
  return false;
}

void OutputFile::commit() {
  if (temporary_.empty()) {  // linkat cannot replace; rename can
    const auto name = temporary_name(target_);
    if (!link_as(name)) throw RunError("cannot create " + name.string() + ": it exists; remove it");
    temporary_ = name;
  }
  if (::rename(temporary_.c_str(), target_.c_str()) != 0)
    throw_errno("cannot create " + target_.string());
  temporary_.clear();
}

bool OutputFile::commit_new() { return link_as(target_); }

void write_all(int fd, std::span<const std::byte> data, const std::string& what) {
  while (!data.empty()) {
    const ssize_t n = ::write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(what);
    data = data.subspan(static_cast<std::size_t>(n));
  }
}

}  // namespace missive::zar
