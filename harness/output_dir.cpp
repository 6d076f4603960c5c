#include "harness/output_dir.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "models/error.h"
#include "real/fd.h"

namespace missive::harness {
namespace {

// A file of its own name beside its destination; gone unless it was renamed into place.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::filesystem::path& destination)
      : name_(destination.string() + ".XXXXXX"), fd_(mkostemp(name_.data(), O_CLOEXEC)) {
    if (!fd_) throw std::system_error(errno, std::generic_category());
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!name_.empty()) ::unlink(name_.c_str());
  }

  void write(const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t n = ::write(fd_.get(), text.data() + done, text.size() - done);
      if (n < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category());
      if (n > 0) done += static_cast<std::size_t>(n);
    }
  }

  void rename_to(const std::filesystem::path& destination) {
    // mkstemp makes 0600; results are as readable as the user's other files (umask(2) has no
    // reader, so set and restore).
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(fd_.get(), 0666 & ~mask) != 0 || ::rename(name_.c_str(), destination.c_str()) != 0)
      throw std::system_error(errno, std::generic_category());
    name_.clear();
  }

 private:
  std::string name_;
  UniqueFd fd_;
};

void replace(const std::filesystem::path& file, const std::string& text) {
  TemporaryFile temporary(file);
  temporary.write(text);
  temporary.rename_to(file);
}

}  // namespace

OutputDir::OutputDir(std::filesystem::path path) : path_(std::move(path)) {
  std::string why;
  try {
    std::filesystem::create_directories(path_);
    TemporaryFile probe(path_ / ".probe");
    probe.write("x");  // a full disk accepts names but no bytes
    return;
  } catch (const std::filesystem::filesystem_error& e) {
    why = e.code().message();
  } catch (const std::system_error& e) {
    why = e.code().message();
  }
  throw InputError(
      fmt::format("{}: results cannot be written there: {}; name another folder with "
                  "--out",
                  path_.string(), why));
}

void OutputDir::write(const std::string& name, const std::string& text) const {
  write_atomically(path_ / name, text);
}

void write_atomically(const std::filesystem::path& file, const std::string& text) {
  try {
    if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
    replace(file, text);
  } catch (const std::system_error& e) {
    throw RunError(fmt::format("{}: cannot be written: {}; free space or name another place",
                               file.string(), e.code().message()));
  }
}

}  // namespace missive::harness
