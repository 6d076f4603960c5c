#pragma once
// A file as a read-only block device: loop(4). For file systems that the kernel mounts from block
// devices alone; the device reads from the file's own pages, a memory file's included.

#include <cstddef>
#include <string>

#include "real/fd.h"

namespace missive::launch {

class LoopDevice {
 public:
  // Over all of `file`, in sectors of a page, `read_ahead` bytes at a time. The device goes by
  // itself once this object and all mounts of it have gone (LO_FLAGS_AUTOCLEAR). Throws
  // NotAvailable (no loop devices for this user) or RunError; `what` begins the message.
  static LoopDevice over(int file, std::size_t read_ahead, const std::string& what);

  const std::string& path() const { return path_; }  // "/dev/loop3"

 private:
  LoopDevice(UniqueFd device, std::string path)
      : device_(std::move(device)), path_(std::move(path)) {}

  UniqueFd device_;
  std::string path_;
};

// Empty when this process may make loop devices, otherwise what is missing.
std::string loop_devices_unavailable();

}  // namespace missive::launch
