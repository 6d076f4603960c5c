#include "real/launch/loop_device.h"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>

#include "models/error.h"

namespace missive::launch {

namespace {

constexpr const char* kControl = "/dev/loop-control";
constexpr int kAttempts = 64;  // another process may take the free device first

}  // namespace

LoopDevice LoopDevice::over(int file, const std::string& what) {
  const UniqueFd control(::open(kControl, O_RDWR | O_CLOEXEC));
  if (!control) throw NotAvailable(what + ": " + kControl + ": " + std::strerror(errno));
  loop_config config{};
  config.fd = static_cast<__u32>(file);
  config.block_size = 4096;
  config.info.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) throw_errno(what + ": no free loop device");
    const std::string path = "/dev/loop" + std::to_string(number);
    UniqueFd device(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!device) throw NotAvailable(what + ": " + path + ": " + std::strerror(errno));
    if (::ioctl(device.get(), LOOP_CONFIGURE, &config) == 0)
      return LoopDevice(std::move(device), path);
    if (errno != EBUSY) throw_errno(what + ": " + path);
  }
  throw RunError(what + ": every free loop device was taken by somebody else");
}

std::string loop_devices_unavailable() {
  const UniqueFd control(::open(kControl, O_RDWR | O_CLOEXEC));
  if (control) return {};
  return std::string(kControl) + ": " + std::strerror(errno) +
         "; needs loop devices, and the host's own root";
}

}  // namespace missive::launch
