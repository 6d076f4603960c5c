#include "real/zar/scan.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/zar/layout.h"

namespace missive::zar {

namespace {

constexpr int kMaxLinks = 40;  // Linux gives up there too (path_resolution(7))

[[noreturn]] void cannot_read(const std::string& path) {
  throw InputError(path + ": cannot read: " + std::strerror(errno) +
                   "; make it readable or leave it out of the tree");
}

// Inside path to a path relative to the tree's root descriptor.
const char* relative(const std::string& path) { return path == "/" ? "." : path.c_str() + 1; }

std::int64_t nanoseconds(const timespec& t) {
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void take(const struct stat& st, TreeEntry& e) {
  e.mode = st.st_mode & kModeBits;
  e.mtime_ns = nanoseconds(st.st_mtim);
  if (e.kind == EntryKind::file) e.size = static_cast<std::uint64_t>(st.st_size);
  e.device = st.st_dev;
  e.inode = st.st_ino;
}

struct CloseDirectory {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};

bool is_dots(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

std::string read_link(int root, const std::string& path, const std::string& shown) {
  std::array<char, kMaxPath + 1> target{};
  const ssize_t n = ::readlinkat(root, relative(path), target.data(), target.size());
  if (n <= 0) cannot_read(shown);
  return {target.data(), static_cast<std::size_t>(n)};
}

}  // namespace

Tree::Tree(const std::filesystem::path& root) : root_(root) {
  fd_.reset(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd_) cannot_read(root.string());
  TreeEntry top;
  top.path = "/";
  top.kind = EntryKind::directory;
  entries_.push_back(std::move(top));
  // Breadth first over a growing list: no recursion that a deep tree could exhaust.
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].kind == EntryKind::directory) read_directory(i);
  const auto by_path = [](const TreeEntry& a, const TreeEntry& b) { return a.path < b.path; };
  std::sort(entries_.begin(), entries_.end(), by_path);
  add_standard_directories();
}

void Tree::read_directory(std::size_t directory) {
  const std::string path = entries_[directory].path;
  const std::string shown = outside(entries_[directory]);
  UniqueFd fd(::openat(fd_.get(), relative(path),
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat st;
  if (!fd || ::fstat(fd.get(), &st) != 0) cannot_read(shown);
  take(st, entries_[directory]);
  if (path == "/proc" || path == "/sys" || path == "/dev") return;

  std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(fd.get()));
  if (!stream) cannot_read(shown);
  fd.release();
  for (;;) {
    errno = 0;
    const dirent* d = ::readdir(stream.get());
    if (d == nullptr) break;
    if (is_dots(d->d_name)) continue;
    TreeEntry e;
    e.path = (path == "/" ? path : path + '/') + d->d_name;
    if (e.path.size() > kMaxPath)
      throw InputError(shown + ": a path of more than 4095 bytes; shorten it");
    unsigned type = d->d_type;
    if (type == DT_UNKNOWN) {  // the file system does not say (readdir(3))
      if (::fstatat(::dirfd(stream.get()), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        cannot_read(root_.string() + e.path);
      type = IFTODT(st.st_mode);
    }
    if (type == DT_DIR) {
      e.kind = EntryKind::directory;
    } else if (type == DT_LNK) {
      e.kind = EntryKind::symlink;
      if (::fstatat(::dirfd(stream.get()), d->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        cannot_read(root_.string() + e.path);
      take(st, e);
      e.target = read_link(fd_.get(), e.path, root_.string() + e.path);
    } else if (type != DT_REG) {
      continue;
    }
    entries_.push_back(std::move(e));
  }
  if (errno != 0) cannot_read(shown);
}

void Tree::add_standard_directories() {
  struct Standard {
    const char* path;
    std::uint32_t mode;
  };
  constexpr Standard kStandard[] = {{"/dev", 0755}, {"/home", 0755},    {"/proc", 0555},
                                    {"/run", 0755}, {"/sys", 0555},     {"/tmp", 01777},
                                    {"/var", 0755}, {"/var/tmp", 01777}};
  for (const Standard& s : kStandard) {
    if (find(s.path)) continue;
    const std::string parent = std::string(s.path) == "/var/tmp" ? "/var" : "/";
    // /var may be a symbolic link in this tree: then its directory is that link's business.
    if (entries_[*find(parent)].kind != EntryKind::directory) continue;
    TreeEntry e;
    e.path = s.path;
    e.kind = EntryKind::directory;
    e.mode = s.mode;
    const auto at = std::lower_bound(
        entries_.begin(), entries_.end(), e.path,
        [](const TreeEntry& entry, const std::string& path) { return entry.path < path; });
    entries_.insert(at, std::move(e));
  }
}

std::optional<std::size_t> Tree::find(std::string_view path) const {
  const auto at =
      std::lower_bound(entries_.begin(), entries_.end(), path,
                       [](const TreeEntry& entry, std::string_view p) { return entry.path < p; });
  if (at == entries_.end() || at->path != path) return std::nullopt;
  return static_cast<std::size_t>(at - entries_.begin());
}

std::optional<std::size_t> Tree::resolve_file(const std::string& path) const {
  std::string pending = path, current;  // `current` is resolved and has no link in it; "" is "/"
  int links = 0;
  while (!pending.empty()) {
    const std::size_t slash = pending.find('/');
    const std::string name = pending.substr(0, slash);
    pending.erase(0, slash == std::string::npos ? pending.size() : slash + 1);
    if (name.empty() || name == ".") continue;
    if (name == "..") {
      if (!current.empty()) current.erase(current.rfind('/'));
      continue;
    }
    const auto at = find(current + '/' + name);
    if (!at) return std::nullopt;
    const TreeEntry& e = entries_[*at];
    if (e.kind == EntryKind::symlink) {
      if (++links > kMaxLinks || e.target.size() + pending.size() > 2 * kMaxPath)
        return std::nullopt;
      if (e.target.front() == '/') current.clear();
      pending = e.target + '/' + pending;
    } else if (e.kind == EntryKind::directory) {
      current = e.path;
    } else {
      return pending.find_first_not_of('/') == std::string::npos ? at : std::nullopt;
    }
  }
  return std::nullopt;  // a directory
}

void Tree::describe(TreeEntry& file) const {
  struct stat st;
  if (::fstatat(fd_.get(), relative(file.path), &st, AT_SYMLINK_NOFOLLOW) != 0)
    cannot_read(outside(file));
  if (!S_ISREG(st.st_mode))
    throw RunError(outside(file) + ": changed while being packed; leave the tree alone and retry");
  take(st, file);
}

UniqueFd Tree::open(const TreeEntry& file) const {
  UniqueFd fd(
      ::openat(fd_.get(), relative(file.path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd) cannot_read(outside(file));
  check_unchanged(file, fd.get());
  return fd;
}

void Tree::check_unchanged(const TreeEntry& file, int fd) const {
  struct stat st;
  TreeEntry now;
  if (::fstat(fd, &st) != 0) cannot_read(outside(file));
  take(st, now);
  if (!S_ISREG(st.st_mode) || now.size != file.size || now.mtime_ns != file.mtime_ns ||
      now.inode != file.inode || now.device != file.device)
    throw RunError(outside(file) + ": changed while being packed; leave the tree alone and retry");
}

}  // namespace missive::zar
