#pragma once
// A file as a read-only block device: loop(4). For file systems that the kernel mounts from block
// devices alone; the device reads from the file's own pages, a memory file's included.

#include <string>

#include "real/fd.h"

namespace missive::launch {

class LoopDevice {
 public:
  // Over all of `file`, in sectors of a page. The device goes by itself once this object and all
  // mounts of it have gone (LO_FLAGS_AUTOCLEAR), whatever ends their owners. Its read-ahead is left
  // as the host has it: that setting belongs to the device's number, and would outlive this use.
  // Throws NotAvailable (no loop devices for this user) or RunError; `what` begins the message.
  static LoopDevice over(int file, const std::string& what);

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
