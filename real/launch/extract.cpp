// Delivery "extract": the whole image copied into a tmpfs of its own.

#include "real/zar/extract.h"

#include <fcntl.h>
#include <sys/mount.h>

#include "real/launch/delivery.h"
#include "real/launch/mounts.h"
#include "real/launch/picoprocess.h"

namespace missive::launch {

namespace {

class ExtractDelivery : public Delivery {
 public:
  ExtractDelivery()
      : mount_(new_mount("tmpfs", {{"mode", "755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)) {}

  UniqueFd deliver(const zar::Image& image, Delivered* delivered) override {
    // The descriptor of fsmount(2) is O_PATH; changing the root's mode needs an open directory.
    const UniqueFd root(::openat(mount_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) throw_errno("cannot open the new tmpfs");
    const zar::Extracted extracted = zar::extract(image, root.get());
    make_read_only(mount_);
    if (delivered != nullptr) *delivered = {extracted.files, extracted.bytes};
    return std::move(mount_);
  }

 private:
  UniqueFd mount_;
};

}  // namespace

std::unique_ptr<Delivery> make_extract_delivery() { return std::make_unique<ExtractDelivery>(); }

std::string extract_unavailable() { return picoprocess_unavailable(); }

}  // namespace missive::launch
