#pragma once
// A file that appears under its name complete or not at all. While it is written it has no name
// (O_TMPFILE, open(2)), so not even a killed process leaves a part of it behind; on file systems
// without O_TMPFILE it has a temporary name, removed by the destructor. commit() does not wait for
// the disk: after a power cut the file may be lost, and has to be made again.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include <sys/types.h>

#include "real/fd.h"

namespace missive::zar {

class OutputFile {
 public:
  enum class Naming { late, early };
  // Throws RunError: the directory is missing or not writable. `early` does without O_TMPFILE.
  OutputFile(std::filesystem::path target, mode_t mode, Naming naming = Naming::late);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Appends all of `data`. Throws RunError (disk full, file too large ...).
  void write(std::span<const std::byte> data);
  // Writes all of `data` at `offset`; safe for several threads. Throws RunError.
  void write_at(std::span<const std::byte> data, std::uint64_t offset) const;
  // Makes it `length` bytes long, zeros where nothing is written. Throws RunError.
  void set_length(std::uint64_t length) const;
  // Gives the file its name, replacing an older one. Throws RunError.
  void commit();
  // Gives it its name only if nothing has that name yet; says whether it did.
  bool commit_new();
  int fd() const { return fd_.get(); }

 private:
  bool link_as(const std::filesystem::path& name);

  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty while the file has no name
  UniqueFd fd_;
};

// Writes all of `data` to `fd`, through interruptions and short writes. Throws RunError "WHAT:
// ...".
void write_all(int fd, std::span<const std::byte> data, const std::string& what);

}  // namespace missive::zar
