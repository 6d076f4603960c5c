#pragma once
// A directory tree seen through FUSE, read-only, with a log of what was asked. Internal to the
// tracer.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "real/launch/fuse_session.h"

namespace missive::trace {

struct Event {
  enum class Kind : std::uint8_t { open, read, found, missing } kind = Kind::found;
  std::int64_t at_ns = 0;    // CLOCK_MONOTONIC
  std::uint32_t file = 0;    // open, read: index into Log::files
  std::uint64_t offset = 0;  // read: bytes; `length` as well
  std::uint64_t length = 0;
};

struct Log {
  // Regular files that were looked up, absolute within the tree ("/usr/bin/x"), in that order:
  // those opened, and those only looked at, which decide as well (Python takes a compiled module
  // only beside its source).
  std::vector<std::string> files;
  std::vector<Event> events;
};

class Passthrough {
 public:
  // Throws as FuseSession does, or RunError when `root` cannot be opened.
  explicit Passthrough(const std::filesystem::path& root);
  ~Passthrough();
  UniqueFd& mount() { return session_->mount(); }
  Log log() const;  // what was asked so far

  // Handlers, on the session's thread.
  void lookup(fuse_req_t request, fuse_ino_t parent, const char* name);
  void getattr(fuse_req_t request, fuse_ino_t inode);
  void readlink(fuse_req_t request, fuse_ino_t inode);
  void open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file);
  void read(fuse_req_t request, std::size_t size, off_t offset, fuse_file_info* file);
  void release(fuse_req_t request, fuse_file_info* file);
  void readdir(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset);
  void statfs(fuse_req_t request);

 private:
  struct Open {
    int fd = -1;
    std::uint32_t file = 0;
  };
  const std::string& path(fuse_ino_t inode) const { return paths_[inode - 1]; }
  void note(Event event);
  std::uint32_t file_index(const std::string& name);

  UniqueFd root_;
  std::vector<std::string> paths_{"."};  // by inode - 1, relative to root_
  std::unordered_map<std::string, fuse_ino_t> inodes_;
  std::unordered_map<std::string, std::uint32_t> files_;
  std::map<std::uint64_t, Open> open_;
  std::uint64_t next_handle_ = 1;
  std::vector<char> buffer_;
  mutable std::mutex mutex_;  // of log_, which others read while the session runs
  Log log_;
  std::optional<launch::FuseSession> session_;  // last: its thread uses all above
};

}  // namespace missive::trace
