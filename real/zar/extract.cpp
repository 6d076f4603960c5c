#include "real/zar/extract.h"

#include <array>
#include <cerrno>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
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

class Extraction {
 public:
  Extraction(const Image& image, int root, const ExtractOptions& options)
      : image_(image), options_(options), walker_(root), link_walker_(root) {}

  Extracted run() {
    for (std::uint32_t i = 0; i < image_.entries().size(); ++i)
      if (image_.entries()[i].path != "/") make(i);
    // Directories last and innermost first: adding an entry changes a directory's time, and its
    // mode may shut us out.
    for (std::size_t i = image_.entries().size(); i-- > 0;) {
      const Entry& e = image_.entries()[i];
      if (e.kind == EntryKind::directory) finish(walker_.open(e.path), e);
    }
    return done_;
  }

 private:
  static std::string what(const Entry& e) { return "cannot extract " + std::string(e.path); }

  void make(std::uint32_t index) {
    const Entry& e = image_.entries()[index];
    const std::size_t slash = e.path.rfind('/');
    const std::string name(e.path.substr(slash + 1));
    const int parent = walker_.open(slash == 0 ? "/" : e.path.substr(0, slash));
    switch (e.kind) {
      case EntryKind::directory:
        // Ours alone until its content is in: the final mode may forbid writing.
        if (::mkdirat(parent, name.c_str(), 0700) != 0) take_over(parent, name, e);
        ++done_.directories;
        break;
      case EntryKind::file:
        make_file(index, parent, name);
        break;
      case EntryKind::symlink:
        make_symlink(parent, name, e);
        ++done_.symlinks;
        break;
    }
  }

  // A directory that is there already: writable for now, as a new one would be.
  void take_over(int parent, const std::string& name, const Entry& e) {
    if (errno != EEXIST) throw_errno(what(e));
    if (!options_.resume) return;
    const UniqueFd fd(::openat(parent, name.c_str(), kOpenDirectory));
    if (!fd || ::fchmod(fd.get(), 0700) != 0) throw_errno(what(e));
  }

  void make_file(std::uint32_t index, int parent, const std::string& name) {
    const Entry& e = image_.entries()[index];
    ++done_.files;
    for (const Extent& extent : image_.extents(e)) done_.bytes += extent.length;
    if (options_.resume && is_done(parent, name, e)) {
      ++done_.kept;
      return;
    }
    if (options_.resume && ::unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT)
      throw_errno(what(e));
    if (const std::uint32_t first = image_.link_of(index); first != index)
      return make_hard_link(image_.entries()[first], parent, name, e);
    if (e.partial && !options_.partial)
      throw RunError(what(e) +
                     ": the image holds only what a start needs of it; extract from a "
                     "whole image, or ask for partial files");
    write_file(parent, name, e);
  }

  static bool is_done(int parent, const std::string& name, const Entry& e) {
    struct stat st {};
    return ::fstatat(parent, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
           static_cast<std::uint64_t>(st.st_size) == e.size && (st.st_mode & 07777) == e.mode &&
           st.st_mtim.tv_sec == times(e.mtime_ns)[0].tv_sec &&
           st.st_mtim.tv_nsec == times(e.mtime_ns)[0].tv_nsec;
  }

  void make_hard_link(const Entry& first, int parent, const std::string& name, const Entry& e) {
    const std::size_t slash = first.path.rfind('/');
    const int from = link_walker_.open(slash == 0 ? "/" : first.path.substr(0, slash));
    const std::string source(first.path.substr(slash + 1));
    if (::linkat(from, source.c_str(), parent, name.c_str(), 0) != 0) throw_errno(what(e));
  }

  void write_file(int parent, const std::string& name, const Entry& e) {
    const UniqueFd fd(
        ::openat(parent, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!fd) throw_errno(what(e));
    if (!e.in_extents) {
      write_all(fd.get(), image_.content(e), what(e));
    } else {
      for (const Extent& extent : image_.extents(e)) {
        if (::lseek(fd.get(), static_cast<off_t>(extent.file_offset), SEEK_SET) < 0)
          throw_errno(what(e));
        write_all(fd.get(), image_.data().subspan(extent.offset, extent.length), what(e));
      }
      if (::ftruncate(fd.get(), static_cast<off_t>(e.size)) != 0) throw_errno(what(e));
    }
    finish(fd.get(), e);
  }

  void make_symlink(int parent, const std::string& name, const Entry& e) {
    const auto bytes = image_.content(e);
    const std::string target(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (options_.resume && ::unlinkat(parent, name.c_str(), 0) != 0 && errno != ENOENT)
      throw_errno(what(e));
    if (::symlinkat(target.c_str(), parent, name.c_str()) != 0 ||
        ::utimensat(parent, name.c_str(), times(e.mtime_ns).data(), AT_SYMLINK_NOFOLLOW) != 0)
      throw_errno(what(e));
  }

  // The time comes last: a file with its time is whole.
  void finish(int fd, const Entry& e) const {
    for (const Attribute& a : image_.attributes(e)) {
      const std::string name(a.name);
      if (::fsetxattr(fd, name.c_str(), a.value.data(), a.value.size(), 0) != 0)
        throw_errno(what(e) + ", attribute " + name);
    }
    if (::fchmod(fd, e.mode) != 0 || ::futimens(fd, times(e.mtime_ns).data()) != 0)
      throw_errno(what(e));
  }

  const Image& image_;
  ExtractOptions options_;
  Walker walker_, link_walker_;
  Extracted done_;
};

}  // namespace

Extracted extract(const Image& image, int directory_fd, const ExtractOptions& options) {
  return Extraction(image, directory_fd, options).run();
}

Extracted extract(const Image& image, const std::filesystem::path& directory,
                  const ExtractOptions& options) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno("cannot open " + directory.string());
  return extract(image, fd.get(), options);
}

}  // namespace missive::zar
