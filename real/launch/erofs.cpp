// Delivery "erofs": the kernel's own read-only file system over the verified image. Two loop
// devices: one over what erofs_view.h writes, one over the sealed memory file from the cache. The
// kernel copies from the image's own pages into its page cache and asks nobody. Each read costs two
// wake-ups, of the loop device's thread and back, so the pages of the recorded start are asked for
// ahead (readahead(2)), by a thread of the launcher while the application starts.

#include <cerrno>
#include <cstring>
#include <stop_token>
#include <thread>

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/delivery.h"
#include "real/launch/erofs_view.h"
#include "real/launch/image_tree.h"
#include "real/launch/launch_runs.h"
#include "real/launch/loop_device.h"
#include "real/launch/mounts.h"
#include "real/launch/picoprocess.h"
#include "real/launch/sealed_memory.h"

namespace missive::launch {

namespace {

const std::string kWhat = "delivery erofs";

// What the kernel does not take costs time later, nothing else.
void ask_ahead(const zar::Image& image, const UniqueFd& root, const std::stop_token& stop) {
  UniqueFd file;
  const zar::Entry* opened = nullptr;
  for (const CoalescedRun& run : coalesced_runs(image)) {
    if (stop.stop_requested()) return;
    const zar::Entry& entry = image.entries()[run.entry];
    if (opened != &entry) {
      const std::string path = "." + std::string(entry.path);
      file.reset(::openat(root.get(), path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
      opened = &entry;
    }
    ::readahead(file.get(), static_cast<off64_t>(run.offset), run.bytes);
  }
}

class ErofsDelivery : public Delivery {
 public:
  UniqueFd deliver(const zar::Image& image, Delivered* delivered) override {
    const ErofsView view = make_erofs_view(ImageTree(image));
    UniqueFd content = sealed_file_behind(image.data());
    if (!content) content = sealed_file_of(image.data(), "image");
    const LoopDevice names = LoopDevice::over(view.file.get(), kWhat);
    const LoopDevice pages = LoopDevice::over(content.get(), kWhat);
    UniqueFd mount =
        new_mount("erofs", {{"source", names.path()}, {"device", pages.path()}, {"ro", ""}},
                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
    if (delivered != nullptr) {
      *delivered = {0, launch_run_bytes(image)};
      for (const zar::Entry& entry : image.entries())
        delivered->files += entry.kind == zar::EntryKind::file ? 1 : 0;
    }
    // The mount goes to the picoprocess; the thread has a descriptor of its own.
    walk_.reset(::fcntl(mount.get(), F_DUPFD_CLOEXEC, 0));
    if (!walk_) throw_errno("cannot keep the EROFS mount at hand");
    thread_ = std::jthread([this, &image](const std::stop_token& stop) {
      ask_ahead(image, walk_, stop);
      walk_.reset();
    });
    return mount;
  }

 private:
  UniqueFd walk_;
  std::jthread thread_;  // last: uses the above
};

// The kernel mounts EROFS only for the first user namespace, whose number in /proc is fixed
// (namespaces(7); PROC_USER_INIT_INO in the kernel's include/linux/proc_ns.h).
bool in_first_user_namespace() {
  struct stat status {};
  return ::stat("/proc/self/ns/user", &status) == 0 && status.st_ino == 0xEFFFFFFD;
}

}  // namespace

std::unique_ptr<Delivery> make_erofs_delivery() { return std::make_unique<ErofsDelivery>(); }

std::string erofs_unavailable() {
  if (const auto why = picoprocess_unavailable(); !why.empty()) return why;
  if (!in_first_user_namespace())
    return "needs root of the host: the kernel mounts no EROFS from within a user namespace";
  if (auto why = loop_devices_unavailable(); !why.empty()) return why;
  // Opening the file system loads its module, if there is one.
  const UniqueFd context(::fsopen("erofs", FSOPEN_CLOEXEC));
  if (!context)
    return std::string("the kernel has no EROFS (") + std::strerror(errno) +
           "; CONFIG_EROFS_FS, or modprobe erofs)";
  for (const char* feature : {"chunked_file", "device_table"})
    if (::access((std::string("/sys/fs/erofs/features/") + feature).c_str(), F_OK) != 0)
      return std::string("the kernel's EROFS lacks ") + feature + "; needs Linux 5.16 or later";
  return {};
}

}  // namespace missive::launch
