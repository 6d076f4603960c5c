#include "real/trace/passthrough.h"

#include <algorithm>
#include <cerrno>
#include <ctime>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace missive::trace {

namespace {

constexpr double kCached = 1e15;  // seconds: the tree does not change while it is traced

Passthrough& of(fuse_req_t request) {
  return *static_cast<Passthrough*>(fuse_req_userdata(request));
}

const fuse_lowlevel_ops& operations() {
  static const fuse_lowlevel_ops ops = [] {
    fuse_lowlevel_ops o{};
    o.init = [](void*, fuse_conn_info* connection) {
      connection->max_readahead = 0;  // each request is a page that was really needed
      connection->want &= ~static_cast<unsigned>(FUSE_CAP_READDIRPLUS | FUSE_CAP_SPLICE_READ |
                                                 FUSE_CAP_SPLICE_WRITE | FUSE_CAP_AUTO_INVAL_DATA);
    };
    o.lookup = [](fuse_req_t r, fuse_ino_t p, const char* name) { of(r).lookup(r, p, name); };
    o.getattr = [](fuse_req_t r, fuse_ino_t i, fuse_file_info*) { of(r).getattr(r, i); };
    o.readlink = [](fuse_req_t r, fuse_ino_t i) { of(r).readlink(r, i); };
    o.open = [](fuse_req_t r, fuse_ino_t i, fuse_file_info* f) { of(r).open(r, i, f); };
    o.read = [](fuse_req_t r, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* f) {
      of(r).read(r, size, offset, f);
    };
    o.release = [](fuse_req_t r, fuse_ino_t, fuse_file_info* f) { of(r).release(r, f); };
    o.readdir = [](fuse_req_t r, fuse_ino_t i, std::size_t size, off_t offset, fuse_file_info*) {
      of(r).readdir(r, i, size, offset);
    };
    o.statfs = [](fuse_req_t r, fuse_ino_t) { of(r).statfs(r); };
    return o;
  }();
  return ops;
}

std::int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

Passthrough::Passthrough(const std::filesystem::path& root)
    : root_(::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), buffer_(1 << 20) {
  if (!root_) throw_errno("cannot open the root " + root.string());
  session_.emplace(operations(), this, launch::FuseSession::Threads::one);
}

Passthrough::~Passthrough() {
  session_.reset();
  for (const auto& [handle, file] : open_) ::close(file.fd);
}

Log Passthrough::log() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return log_;
}

void Passthrough::note(Event event) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (event.at_ns == 0) event.at_ns = now_ns();
  log_.events.push_back(event);
}

std::uint32_t Passthrough::file_index(const std::string& name) {
  const auto [known, added] = files_.try_emplace(name, static_cast<std::uint32_t>(files_.size()));
  if (added) {
    const std::lock_guard<std::mutex> lock(mutex_);
    log_.files.push_back(name);
  }
  return known->second;
}

void Passthrough::lookup(fuse_req_t request, fuse_ino_t parent, const char* name) {
  const std::string wanted = path(parent) + "/" + name;
  fuse_entry_param entry{};
  entry.entry_timeout = entry.attr_timeout = kCached;
  if (::fstatat(root_.get(), wanted.c_str(), &entry.attr, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) {
      fuse_reply_err(request, errno);
      return;
    }
    note({.kind = Event::Kind::missing});
    fuse_reply_entry(request, &entry);  // inode 0: absent, and stays so
    return;
  }
  note({.kind = Event::Kind::found});
  const auto [at, added] = inodes_.try_emplace(wanted, paths_.size() + 1);
  if (added) paths_.push_back(wanted);
  if (S_ISREG(entry.attr.st_mode)) file_index(wanted.substr(1));
  entry.ino = at->second;
  entry.attr.st_ino = entry.ino;
  fuse_reply_entry(request, &entry);
}

void Passthrough::getattr(fuse_req_t request, fuse_ino_t inode) {
  struct stat status {};
  if (::fstatat(root_.get(), path(inode).c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    fuse_reply_err(request, errno);
    return;
  }
  status.st_ino = inode;
  fuse_reply_attr(request, &status, kCached);
}

void Passthrough::readlink(fuse_req_t request, fuse_ino_t inode) {
  std::string target(4096, '\0');
  const ssize_t n =
      ::readlinkat(root_.get(), path(inode).c_str(), target.data(), target.size() - 1);
  if (n < 0) {
    fuse_reply_err(request, errno);
    return;
  }
  target.resize(static_cast<std::size_t>(n));
  fuse_reply_readlink(request, target.c_str());
}

void Passthrough::open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  const std::int64_t at = now_ns();
  const int fd = ::openat(root_.get(), path(inode).c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    fuse_reply_err(request, errno);
    return;
  }
  const std::uint32_t index = file_index(path(inode).substr(1));
  note({.kind = Event::Kind::open, .at_ns = at, .file = index});
  file->fh = next_handle_++;
  file->keep_cache = 1;  // a page is logged at its first touch only
  open_[file->fh] = {fd, index};
  if (fuse_reply_open(request, file) != 0) {
    ::close(fd);
    open_.erase(file->fh);
  }
}

void Passthrough::read(fuse_req_t request, std::size_t size, off_t offset, fuse_file_info* file) {
  const std::int64_t at = now_ns();
  const auto found = open_.find(file->fh);
  if (found == open_.end()) {
    fuse_reply_err(request, EBADF);
    return;
  }
  buffer_.resize(std::max(buffer_.size(), size));
  const ssize_t n = ::pread(found->second.fd, buffer_.data(), size, offset);
  if (n < 0) {
    fuse_reply_err(request, errno);
    return;
  }
  note({.kind = Event::Kind::read,
        .at_ns = at,
        .file = found->second.file,
        .offset = static_cast<std::uint64_t>(offset),
        .length = static_cast<std::uint64_t>(n)});
  fuse_reply_buf(request, buffer_.data(), static_cast<std::size_t>(n));
}

void Passthrough::release(fuse_req_t request, fuse_file_info* file) {
  const auto found = open_.find(file->fh);
  if (found != open_.end()) {
    ::close(found->second.fd);
    open_.erase(found);
  }
  fuse_reply_err(request, 0);
}

void Passthrough::readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset) {
  const int fd =
      ::openat(root_.get(), path(inode).c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR* const directory = fd < 0 ? nullptr : ::fdopendir(fd);
  if (directory == nullptr) {
    const int error = errno;
    if (fd >= 0) ::close(fd);
    fuse_reply_err(request, error);
    return;
  }
  std::vector<char> answer(std::min<std::size_t>(size, 1 << 20));
  std::size_t used = 0;
  off_t index = 0;
  while (const dirent* const entry = ::readdir(directory)) {
    if (index++ < offset) continue;
    struct stat status {};
    status.st_ino = entry->d_ino;
    status.st_mode = DTTOIF(entry->d_type);
    const std::size_t need = fuse_add_direntry(request, answer.data() + used, answer.size() - used,
                                               entry->d_name, &status, index);
    if (need > answer.size() - used) break;
    used += need;
  }
  ::closedir(directory);
  fuse_reply_buf(request, answer.data(), used);
}

void Passthrough::statfs(fuse_req_t request) {
  struct statvfs status {};
  if (::fstatvfs(root_.get(), &status) != 0) {
    fuse_reply_err(request, errno);
    return;
  }
  fuse_reply_statfs(request, &status);
}

}  // namespace missive::trace
