#include "harness/measurement_lock.h"

#include <cerrno>
#include <filesystem>
#include <string>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "models/error.h"
#include "real/fd.h"
#include "real/launch/application.h"

namespace missive::harness {

class MeasurementLock {
 public:
  MeasurementLock() {
    const auto file = launch::home() / "measure.lock";
    std::filesystem::create_directories(file.parent_path());
    fd_.reset(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!fd_) throw_errno("cannot open " + file.string());
    if (::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) throw_errno("cannot lock " + file.string());
      char pid[16] = {};
      const bool known = ::pread(fd_.get(), pid, sizeof pid - 1, 0) > 0;
      throw RunError(std::string("another measurement is running on this host") +
                     (known ? " (process " + std::string(pid) + ")" : "") +
                     "; two at once would disturb each other: wait for it, or predict only with "
                     "--backend sim");
    }
    const std::string own = std::to_string(::getpid());
    if (::ftruncate(fd_.get(), 0) != 0 || ::pwrite(fd_.get(), own.data(), own.size(), 0) < 0)
      throw_errno("cannot write " + file.string());
  }

 private:
  UniqueFd fd_;
};

std::shared_ptr<MeasurementLock> hold_measurement_lock() {
  static std::weak_ptr<MeasurementLock> held;
  if (auto lock = held.lock()) return lock;
  auto lock = std::make_shared<MeasurementLock>();
  held = lock;
  return lock;
}

}  // namespace missive::harness
