#include "real/zar/extract.h"

#include <array>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"
#include "real/zar/output_file.h"

namespace missive::zar {

namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

std::array<timespec, 2> times(std::int64_t mtime_ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t seconds = mtime_ns / kSecond, rest = mtime_ns % kSecond;
  if (rest < 0) {  // before 1970: timespec wants 0 <= tv_nsec
    rest += kSecond;
    --seconds;
  }
  timespec t{};
  t.tv_sec = seconds;
  t.tv_nsec = rest;
  return {t, t};
}

// Keeps the chain of directories down to the current one open. Entries come sorted by path, so the
// next one mostly needs the same directory or one close to it.
class Walker {
 public:
  explicit Walker(int root) : root_(root) {}

  // Descriptor of an existing directory below the root ("/" or "/a/b").
  int open(std::string_view path) {
    if (path == "/") {
      chain_.clear();
      return root_;
    }
    while (!chain_.empty() && !inside(path, chain_.back().path)) chain_.pop_back();
    std::size_t at = chain_.empty() ? 1 : chain_.back().path.size() + 1;
    while (at <= path.size()) {
      const std::size_t end = std::min(path.find('/', at), path.size());
      const std::string name(path.substr(at, end - at));
      const int parent = chain_.empty() ? root_ : chain_.back().fd.get();
      UniqueFd fd(::openat(parent, name.c_str(), kOpenDirectory));
      if (!fd) throw_errno("cannot open the directory " + std::string(path.substr(0, end)));
      chain_.push_back({path.substr(0, end), std::move(fd)});
      at = end + 1;
    }
    return chain_.back().fd.get();
  }

 private:
  struct Link {
    std::string_view path;  // into the image
    UniqueFd fd;
  };
  static bool inside(std::string_view path, std::string_view directory) {
    return path.starts_with(directory) &&
           (path.size() == directory.size() || path[directory.size()] == '/');
  }

  int root_;
  std::vector<Link> chain_;
};

void write_file(int parent, const std::string& name, const Image& image, const Entry& e) {
  const std::string what = "cannot extract " + std::string(e.path);
  const UniqueFd fd(
      ::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) throw_errno(what);
  write_all(fd.get(), image.content(e), what);
  if (::fchmod(fd.get(), e.mode) != 0 || ::futimens(fd.get(), times(e.mtime_ns).data()) != 0)
    throw_errno(what);
}

void make_symlink(int parent, const std::string& name, const Image& image, const Entry& e) {
  const auto bytes = image.content(e);
  const std::string target(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (::symlinkat(target.c_str(), parent, name.c_str()) != 0 ||
      ::utimensat(parent, name.c_str(), times(e.mtime_ns).data(), AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("cannot extract " + std::string(e.path));
}

}  // namespace

Extracted extract(const Image& image, int directory_fd) {
  Extracted done;
  Walker walker(directory_fd);
  for (const Entry& e : image.entries()) {
    if (e.path == "/") continue;
    const std::size_t slash = e.path.rfind('/');
    const std::string name(e.path.substr(slash + 1));
    const int parent = walker.open(slash == 0 ? "/" : e.path.substr(0, slash));
    switch (e.kind) {
      case EntryKind::directory:
        // Ours alone until its content is in: the final mode may forbid writing.
        if (::mkdirat(parent, name.c_str(), 0700) != 0 && errno != EEXIST)
          throw_errno("cannot extract " + std::string(e.path));
        ++done.directories;
        break;
      case EntryKind::file:
        write_file(parent, name, image, e);
        ++done.files;
        done.bytes += e.size;
        break;
      case EntryKind::symlink:
        make_symlink(parent, name, image, e);
        ++done.symlinks;
        break;
    }
  }
  // Directories last and innermost first: adding an entry changes a directory's time, and its mode
  // may shut us out.
  for (std::size_t i = image.entries().size(); i-- > 0;) {
    const Entry& e = image.entries()[i];
    if (e.kind != EntryKind::directory) continue;
    const int fd = walker.open(e.path);
    if (::fchmod(fd, e.mode) != 0 || ::futimens(fd, times(e.mtime_ns).data()) != 0)
      throw_errno("cannot set mode and time of " + std::string(e.path));
  }
  return done;
}

Extracted extract(const Image& image, const std::filesystem::path& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno("cannot open " + directory.string());
  return extract(image, fd.get());
}

}  // namespace missive::zar
