#pragma once
// The file descriptors of a program that runs in this process. It opens and closes its own and
// never this process's: 0, 1 and 2 are numbers of its own (a program closes its standard output
// when it is done), which stand for an input given beforehand and for memory that collects the
// output. Others have the numbers the kernel gave; those the program did not open it does not have.

#include <array>
#include <cstdint>
#include <set>
#include <string>

#include "real/fd.h"

namespace missive::domains::pie {

class Descriptors {
 public:
  // `input` is what the program reads from descriptor 0. Outputs are made when they are first used.
  explicit Descriptors(std::string input) : input_(std::move(input)) {}
  ~Descriptors();  // closes all that are left
  Descriptors(const Descriptors&) = delete;
  Descriptors& operator=(const Descriptors&) = delete;

  // This process's descriptor behind the program's; -1 when it has none of that number.
  int real(std::int64_t fd);
  // One that the kernel has just given to the program, or minus an errno: returned as it is.
  std::int64_t opened(std::int64_t fd);
  // close(2), dup2(2), with the result a system call has.
  std::int64_t close(std::int64_t fd);
  std::int64_t put_at(std::int64_t fd, std::int64_t where);

  // Bytes collected behind `fd`; nothing when it does not lead to a collected output.
  std::size_t collected(std::int64_t fd) const;
  // What was written to 1 or 2, at most the last `most` bytes.
  std::string output(int fd, std::size_t most) const;

 private:
  static constexpr int kUnused = -2, kClosed = -1;
  static bool standard(std::int64_t fd) { return fd >= 0 && fd <= 2; }

  std::string input_;
  std::array<UniqueFd, 3> made_;                          // the memory files
  std::array<int, 3> behind_{kUnused, kUnused, kUnused};  // of 0, 1, 2: made_'s, or one of own_
  std::set<int> own_;
};

}  // namespace missive::domains::pie
