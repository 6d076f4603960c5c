#pragma once
// Owners of file descriptors and memory mappings.

#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace missive {

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// A memory mapping, unmapped when it goes.
class Mapping {
 public:
  Mapping() = default;
  Mapping(Mapping&& other) noexcept : data_(std::exchange(other.data_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  // Maps the first `length` bytes of `fd` read-only and shared. Throws RunError (which mapping,
  // errno).
  static Mapping read_only(int fd, std::size_t length, const std::string& what);
  // Anonymous private memory, readable and writable.
  static Mapping anonymous(std::size_t length, const std::string& what);

  std::span<const std::byte> bytes() const { return data_; }
  std::span<std::byte> writable() { return data_; }  // only of anonymous()

 private:
  std::span<std::byte> data_;
};

// "WHAT: strerror(errno)" as RunError.
[[noreturn]] void throw_errno(const std::string& what);

}  // namespace missive
