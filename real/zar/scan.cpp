#include "real/zar/scan.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "models/error.h"
#include "real/zar/layout.h"
#include "real/zar/wire.h"

namespace missive::zar {

namespace {

constexpr int kMaxLinks = 40;                     // Linux gives up there too (path_resolution(7))
constexpr std::size_t kMaxAttributeList = 65536;  // XATTR_LIST_MAX

[[noreturn]] void cannot_read(const std::string& path) {
  throw InputError(path + ": cannot read: " + std::strerror(errno) +
                   "; make it readable or leave it out of the tree");
}

[[noreturn]] void changed(const std::string& path) {
  throw RunError(path + ": changed while being packed; leave the tree alone and retry");
}

// Inside path to a path relative to the tree's root descriptor.
std::string relative(std::string_view path) {
  return path == "/" ? "." : std::string(path.substr(1));
}

std::int64_t nanoseconds(const timespec& t) {
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

void take(const struct stat& st, TreeEntry& e) {
  e.mode = static_cast<std::uint16_t>(st.st_mode & kModeBits);
  e.mtime_ns = nanoseconds(st.st_mtim);
  if (e.kind == EntryKind::file) {
    e.size = static_cast<std::uint64_t>(st.st_size);
    // Fewer blocks than its size needs: worth asking where the holes are (stat(2), st_blocks).
    e.sparse = e.size > kPage && static_cast<std::uint64_t>(st.st_blocks) * 512 < e.size;
    e.linked = st.st_nlink > 1;
  }
  e.device = st.st_dev;
  e.inode = st.st_ino;
}

struct CloseDirectory {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};

bool is_dots(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

bool before(const TreeEntry& e, std::string_view path) { return e.path() < path; }

}  // namespace

const char* Arena::keep(std::string_view text) {
  if (text.size() > kSlab) throw std::length_error("arena");
  if (kSlab - used_ < text.size()) {
    slabs_.push_back(std::make_unique<char[]>(kSlab));
    used_ = 0;
  }
  char* const at = slabs_.back().get() + used_;
  std::copy(text.begin(), text.end(), at);
  used_ += text.size();
  return at;
}

Tree::Tree(const std::filesystem::path& root) : root_(root) {
  fd_.reset(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd_) cannot_read(root.string());
  TreeEntry top;
  top.text = "/";
  top.path_length = 1;
  top.kind = EntryKind::directory;
  entries_.push_back(top);
  // Breadth first over a growing list: no recursion that a deep tree could exhaust.
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].kind == EntryKind::directory) read_directory(i);
  std::sort(entries_.begin(), entries_.end(),
            [](const TreeEntry& a, const TreeEntry& b) { return a.path() < b.path(); });
  add_standard_directories();
}

void Tree::read_directory(std::size_t directory) {
  const std::string path(entries_[directory].path());
  const std::string shown = outside(path);
  UniqueFd fd(::openat(fd_.get(), relative(path).c_str(),
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat st {};
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
    if (!is_dots(d->d_name)) add(path, d->d_name, ::dirfd(stream.get()), d->d_type);
  }
  if (errno != 0) cannot_read(shown);
}

void Tree::add(const std::string& parent, std::string_view name, int directory,
               unsigned char type) {
  std::string path = (parent == "/" ? parent : parent + '/') + std::string(name);
  if (path.size() > kMaxPath)
    throw InputError(outside(parent) + ": a path of more than 4095 bytes; shorten it");
  const std::string entry_name(name);
  struct stat st {};
  if (type == DT_UNKNOWN || type == DT_LNK) {  // the file system may not say (readdir(3))
    if (::fstatat(directory, entry_name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
      cannot_read(outside(path));
    type = static_cast<unsigned char>(IFTODT(st.st_mode));
  }
  TreeEntry e;
  e.path_length = static_cast<std::uint16_t>(path.size());
  if (type == DT_DIR) {
    e.kind = EntryKind::directory;
  } else if (type == DT_LNK) {
    e.kind = EntryKind::symlink;
    take(st, e);
    std::array<char, kMaxPath + 1> target{};
    const ssize_t n = ::readlinkat(directory, entry_name.c_str(), target.data(), target.size());
    if (n <= 0) cannot_read(outside(path));
    e.target_length = static_cast<std::uint16_t>(n);
    path.append(target.data(), static_cast<std::size_t>(n));
  } else if (type != DT_REG) {
    ++left_out_;
    return;
  }
  e.text = arena_.keep(path);
  entries_.push_back(e);
}

void Tree::add_standard_directories() {
  struct Standard {
    const char* path;
    std::uint16_t mode;
  };
  constexpr Standard kStandard[] = {{"/dev", 0755}, {"/home", 0755},    {"/proc", 0555},
                                    {"/run", 0755}, {"/sys", 0555},     {"/tmp", 01777},
                                    {"/var", 0755}, {"/var/tmp", 01777}};
  for (const Standard& s : kStandard) {
    if (find(s.path)) continue;
    const std::string parent = std::string(s.path) == "/var/tmp" ? "/var" : "/";
    // /var may be a symbolic link in this tree: then its directory is that link's business.
    const auto above = find(parent);
    if (!above || entries_[*above].kind != EntryKind::directory) continue;
    TreeEntry e;
    e.text = s.path;
    e.path_length = static_cast<std::uint16_t>(std::strlen(s.path));
    e.kind = EntryKind::directory;
    e.mode = s.mode;
    entries_.insert(std::lower_bound(entries_.begin(), entries_.end(), e.path(), before), e);
  }
}

std::optional<std::size_t> Tree::find(std::string_view path) const {
  const auto at = std::lower_bound(entries_.begin(), entries_.end(), path, before);
  if (at == entries_.end() || at->path() != path) return std::nullopt;
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
      if (++links > kMaxLinks || e.target_length + pending.size() > 2 * kMaxPath)
        return std::nullopt;
      if (e.target().front() == '/') current.clear();
      pending = std::string(e.target()) + '/' + pending;
    } else if (e.kind == EntryKind::directory) {
      current = e.path();
    } else {
      return pending.find_first_not_of('/') == std::string::npos ? at : std::nullopt;
    }
  }
  return std::nullopt;  // a directory
}

void Tree::describe(TreeEntry& file) const {
  struct stat st {};
  if (::fstatat(fd_.get(), relative(file.path()).c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0)
    cannot_read(outside(file));
  if (!S_ISREG(st.st_mode)) changed(outside(file));
  take(st, file);
}

// By path: there is no listxattrat(2) on older kernels, and opening every file costs more.
Attributes Tree::attributes(const TreeEntry& entry) const {
  const std::string path = root_.string() + "/" + relative(entry.path());
  std::array<char, kMaxAttributeList> list;
  const ssize_t length = ::llistxattr(path.c_str(), list.data(), list.size());
  if (length < 0 && errno != ENOTSUP && errno != ENODATA) cannot_read(outside(entry));
  std::vector<std::string> names;
  for (ssize_t at = 0; at < length;) {
    const std::string name(list.data() + at);
    at += static_cast<ssize_t>(name.size()) + 1;
    if (name.starts_with("user.") && name.size() > 5) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  FieldWriter encoded;
  for (const std::string& name : names) {
    std::vector<std::byte> value(kMaxAttributes);
    const ssize_t n = ::lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    if (n < 0) cannot_read(outside(entry) + ", attribute " + name);
    if (static_cast<std::size_t>(n) >= kMaxAttributes)
      throw InputError(outside(entry) + ": attribute " + name + " of 64 KiB or more; remove it");
    value.resize(static_cast<std::size_t>(n));
    encoded.put<std::uint8_t>(static_cast<std::uint8_t>(name.size()))
        .put<std::uint16_t>(static_cast<std::uint16_t>(value.size()))
        .put_text(name)
        .put_bytes(value);
  }
  if (encoded.size() > kMaxAttributes)
    throw InputError(outside(entry) + ": more than 64 KiB of attributes; remove some");
  return encoded.take();
}

// Of whole pages, so that it does not matter how finely the file system keeps its holes.
std::vector<Stretch> Tree::data_runs(const TreeEntry& file) const {
  const UniqueFd fd = open(file);
  const auto size = static_cast<off_t>(file.size);
  std::vector<Stretch> runs;
  for (off_t at = 0; at < size;) {
    const off_t data = ::lseek(fd.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;  // no data behind `at`
    const off_t hole = data < 0 ? data : ::lseek(fd.get(), data, SEEK_HOLE);
    if (hole < 0) cannot_read(outside(file));
    const std::uint64_t from = static_cast<std::uint64_t>(data) / kPage * kPage;
    const std::uint64_t to = std::min(align_up(static_cast<std::uint64_t>(hole), kPage), file.size);
    if (!runs.empty() && from <= runs.back().end())
      runs.back().length = to - runs.back().offset;
    else if (to > from)
      runs.push_back({from, to - from});
    at = hole;
  }
  return runs;
}

UniqueFd Tree::open(const TreeEntry& file) const {
  UniqueFd fd(::openat(fd_.get(), relative(file.path()).c_str(),
                       O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  if (!fd) cannot_read(outside(file));
  check_unchanged(file, fd.get());
  return fd;
}

void Tree::check_unchanged(const TreeEntry& file, int fd) const {
  struct stat st {};
  TreeEntry now;
  if (::fstat(fd, &st) != 0) cannot_read(outside(file));
  take(st, now);
  if (!S_ISREG(st.st_mode) || now.size != file.size || now.mtime_ns != file.mtime_ns ||
      now.inode != file.inode || now.device != file.device)
    changed(outside(file));
}

std::string Tree::outside(const TreeEntry& entry) const { return outside(entry.path()); }

}  // namespace missive::zar
