#pragma once
// A directory that archives of strangers are unpacked into. Nothing is ever written outside it:
// every path is walked by the kernel with the directory as its root (openat2(2), RESOLVE_IN_ROOT),
// so that symbolic links mean what they will mean in the image, and ".." and absolute links end at
// the top. A name with a ".." part is refused all the same: no honest archive has one.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <sys/stat.h>

#include "real/fd.h"

namespace missive::zar {

class TreeWriter {
 public:
  // `directory` exists. Throws RunError.
  explicit TreeWriter(const std::filesystem::path& directory);

  // Whether a directory over a symbolic link to one stands for it (packages: ./lib where the root
  // has lib -> usr/lib) or replaces the link (layers of an OCI image, the default).
  void keep_links(bool keep) { keep_links_ = keep; }

  // Names as archives have them: "./usr/bin/x", "usr/bin/x", "/usr/bin/x" are the same. Missing
  // parents are made. What was there under the name is replaced; a directory over a directory only
  // sets mode and time. Throws InputError that begins with `where`: a ".." part, a zero byte, a
  // name that is too long, a parent that is no directory; RunError: disk full and so on.
  void directory(const std::string& name, mode_t mode, timespec mtime, const std::string& where);
  // `write` gets a descriptor for the content.
  void file(const std::string& name, mode_t mode, timespec mtime, const std::string& where,
            const std::function<void(int)>& write);
  void symlink(const std::string& name, const std::string& target, timespec mtime,
               const std::string& where);
  // `target` is a name too, of a regular file that is there.
  void hard_link(const std::string& name, const std::string& target, const std::string& where);
  // Takes it away with all that is below it; nothing there is no error.
  void remove(const std::string& name, const std::string& where);
  // Takes away what is in a directory; not a directory is no error.
  void clear(const std::string& name, const std::string& where);
  // Sets modes and times of all directories: a mode may shut us out, and writing has changed the
  // times. Call last.
  void finish();

 private:
  struct Place {
    UniqueFd parent;
    std::string name;  // "" for the root itself
  };
  Place place(const std::string& name, const std::string& where, bool make_parents);
  UniqueFd open_directory(const std::string& path) const;  // relative, "." is the root
  void free_place(const Place& place, const std::string& what, bool keep_directory) const;

  struct Made {
    std::string path;
    mode_t mode = 0755;
    timespec mtime{};
  };

  UniqueFd root_;
  bool keep_links_ = false;
  std::vector<Made> directories_;
};

// The parts of an archive's name, joined: "usr/bin/x"; "" is the root. Throws as above.
std::string normal_name(const std::string& name, const std::string& where);

}  // namespace missive::zar
