#include "real/zar/import/tree_writer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "models/error.h"
#include "real/zar/layout.h"

namespace missive::zar {

namespace {

constexpr int kMaxDepth = 2048;  // of a tree to remove; kMaxPath allows no more

// RESOLVE_NO_MAGICLINKS: no way through /proc/PID/fd (openat2(2)).
int open_in_root(int root, const std::string& path, int flags, unsigned mode = 0) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
}

bool is_directory(int parent, const std::string& name) {
  struct stat st {};
  return ::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

struct CloseDirectory {
  void operator()(DIR* d) const noexcept { ::closedir(d); }
};

void remove_below(int directory, const std::string& what, int depth) {
  if (depth > kMaxDepth) throw RunError(what + ": too many directories in one another");
  const std::unique_ptr<DIR, CloseDirectory> stream(::fdopendir(::dup(directory)));
  if (!stream) throw_errno(what);
  ::rewinddir(stream.get());
  while (const dirent* d = ::readdir(stream.get())) {
    const std::string name = d->d_name;
    if (name == "." || name == "..") continue;
    if (is_directory(directory, name)) {
      const UniqueFd child(
          ::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!child) throw_errno(what);
      ::fchmod(child.get(), 0700);
      remove_below(child.get(), what, depth + 1);
      if (::unlinkat(directory, name.c_str(), AT_REMOVEDIR) != 0) throw_errno(what);
    } else if (::unlinkat(directory, name.c_str(), 0) != 0) {
      throw_errno(what);
    }
  }
}

void set_time(int parent, const std::string& name, timespec mtime, const std::string& what) {
  const timespec times[2] = {mtime, mtime};
  if (::utimensat(parent, name.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) throw_errno(what);
}

}  // namespace

std::string normal_name(const std::string& name, const std::string& where) {
  std::string normal;
  for (std::size_t at = 0; at <= name.size();) {
    const std::size_t end = std::min(name.find('/', at), name.size());
    const std::string part = name.substr(at, end - at);
    at = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..")
      throw InputError(where + ": a name with a \"..\" part, \"" + name +
                       "\"; it would lead out of the tree: refused");
    if (part.size() > kMaxName || part.find('\0') != std::string::npos)
      throw InputError(where + ": a name of more than 255 bytes or with a zero byte: refused");
    normal += (normal.empty() ? "" : "/") + part;
  }
  if (normal.size() >= kMaxPath)
    throw InputError(where + ": a path of more than 4095 bytes: refused");
  return normal;
}

TreeWriter::TreeWriter(const std::filesystem::path& directory)
    : root_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!root_) throw_errno("cannot open " + directory.string());
}

UniqueFd TreeWriter::open_directory(const std::string& path) const {
  return UniqueFd(open_in_root(root_.get(), path, O_RDONLY | O_DIRECTORY));
}

TreeWriter::Place TreeWriter::place(const std::string& name, const std::string& where,
                                    bool make_parents) {
  const std::string normal = normal_name(name, where);
  const std::size_t slash = normal.rfind('/');
  const std::string parent = slash == std::string::npos ? "." : normal.substr(0, slash);
  Place place{open_directory(parent), normal.substr(slash == std::string::npos ? 0 : slash + 1)};
  if (!place.parent && errno == ENOENT && make_parents) {
    for (std::size_t end = parent.find('/');; end = parent.find('/', end + 1)) {
      const std::string upper = parent.substr(0, end);
      if (!open_directory(upper)) {
        const std::size_t up = upper.rfind('/');
        const UniqueFd above = open_directory(up == std::string::npos ? "." : upper.substr(0, up));
        const std::string own = upper.substr(up == std::string::npos ? 0 : up + 1);
        if (!above || ::mkdirat(above.get(), own.c_str(), 0755) != 0) break;
        directories_.push_back({upper});
      }
      if (end == std::string::npos) break;
    }
    place.parent = open_directory(parent);
  }
  if (!place.parent && make_parents) {
    if (errno == ENOSPC || errno == EDQUOT) throw_errno(where + ": " + normal);
    throw InputError(where + ": " + normal + ": its parent is no directory (" +
                     std::strerror(errno) + "): refused");
  }
  return place;
}

void TreeWriter::free_place(const Place& place, const std::string& what,
                            bool keep_directory) const {
  if (is_directory(place.parent.get(), place.name)) {
    if (keep_directory) return;
    {
      const UniqueFd old(::openat(place.parent.get(), place.name.c_str(),
                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!old) throw_errno(what);
      ::fchmod(old.get(), 0700);
      remove_below(old.get(), what, 0);
    }
    if (::unlinkat(place.parent.get(), place.name.c_str(), AT_REMOVEDIR) != 0) throw_errno(what);
  } else if (::unlinkat(place.parent.get(), place.name.c_str(), 0) != 0 && errno != ENOENT) {
    throw_errno(what);
  }
}

void TreeWriter::directory(const std::string& name, mode_t mode, timespec mtime,
                           const std::string& where) {
  const Place at = place(name, where, true);
  const std::string what = where + ": " + name, normal = normal_name(name, where);
  if (!at.name.empty() && !(keep_links_ && open_directory(normal))) {
    free_place(at, what, true);
    if (::mkdirat(at.parent.get(), at.name.c_str(), 0700) != 0 && errno != EEXIST)
      throw_errno(what);
  }
  const UniqueFd fd = open_directory(at.name.empty() ? "." : normal);
  if (!fd || ::fchmod(fd.get(), 0700) != 0) throw_errno(what);  // ours until finish()
  directories_.push_back({at.name.empty() ? "." : normal, mode & kModeBits, mtime});
}

void TreeWriter::file(const std::string& name, mode_t mode, timespec mtime,
                      const std::string& where, const std::function<void(int)>& write) {
  const Place at = place(name, where, true);
  const std::string what = where + ": " + name;
  if (at.name.empty()) throw InputError(where + ": a file in place of the root: refused");
  free_place(at, what, false);
  const UniqueFd fd(::openat(at.parent.get(), at.name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) throw_errno(what);
  write(fd.get());
  const timespec times[2] = {mtime, mtime};
  if (::fchmod(fd.get(), mode & kModeBits) != 0 || ::futimens(fd.get(), times) != 0)
    throw_errno(what);
}

void TreeWriter::symlink(const std::string& name, const std::string& target, timespec mtime,
                         const std::string& where) {
  const Place at = place(name, where, true);
  const std::string what = where + ": " + name;
  if (at.name.empty() || target.empty() || target.size() > kMaxPath)
    throw InputError(what + ": a symbolic link without a usable target: refused");
  free_place(at, what, false);
  if (::symlinkat(target.c_str(), at.parent.get(), at.name.c_str()) != 0) throw_errno(what);
  set_time(at.parent.get(), at.name, mtime, what);
}

void TreeWriter::hard_link(const std::string& name, const std::string& target,
                           const std::string& where) {
  const std::string what = where + ": " + name;
  const Place from = place(target, where, false);
  struct stat st {};
  if (!from.parent || from.name.empty() ||
      ::fstatat(from.parent.get(), from.name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISREG(st.st_mode))
    throw InputError(what + ": a hard link to \"" + target + "\", which is no file of it: refused");
  const Place at = place(name, where, true);
  if (at.name.empty()) throw InputError(what + ": a file in place of the root: refused");
  struct stat here {};
  if (::fstatat(at.parent.get(), at.name.c_str(), &here, AT_SYMLINK_NOFOLLOW) == 0 &&
      here.st_ino == st.st_ino && here.st_dev == st.st_dev)
    return;
  free_place(at, what, false);
  if (::linkat(from.parent.get(), from.name.c_str(), at.parent.get(), at.name.c_str(), 0) != 0)
    throw_errno(what);
}

void TreeWriter::remove(const std::string& name, const std::string& where) {
  const Place at = place(name, where, false);
  if (!at.parent || at.name.empty()) return;
  free_place(at, where + ": " + name, false);
}

void TreeWriter::clear(const std::string& name, const std::string& where) {
  const std::string normal = normal_name(name, where);
  const UniqueFd fd = open_directory(normal.empty() ? "." : normal);
  if (fd) remove_below(fd.get(), where + ": " + name, 0);
}

void TreeWriter::finish() {
  // Innermost first, so that no mode shuts us out; what was named twice has its last mode and time.
  std::stable_sort(directories_.begin(), directories_.end(),
                   [](const Made& a, const Made& b) { return a.path > b.path; });
  for (std::size_t i = 0; i < directories_.size(); ++i) {
    const Made& made = directories_[i];
    if (i + 1 < directories_.size() && directories_[i + 1].path == made.path) continue;
    const UniqueFd fd = open_directory(made.path);
    if (!fd) continue;  // gone again by now: nothing to set
    const timespec times[2] = {made.mtime, made.mtime};
    if (::futimens(fd.get(), times) != 0 || ::fchmod(fd.get(), made.mode) != 0)
      throw_errno("cannot set mode and time of " + made.path);
  }
}

}  // namespace missive::zar
