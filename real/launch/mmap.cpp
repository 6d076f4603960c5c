// Delivery "mmap": a static program straight from the image. Its pages are those of the sealed
// memory file from the cache, mapped where its headers say (static_program.h, load_plan.h): no file
// system lies between, and nothing is copied but pages the program writes to. Its root is empty.
// Two launches of one image have the same physical pages, and so has the launcher that verified
// them.

#include <array>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/delivery.h"
#include "real/launch/init_control.h"
#include "real/launch/mounts.h"
#include "real/launch/picoprocess.h"
#include "real/launch/sealed_memory.h"
#include "real/launch/static_program.h"

namespace missive::launch {

namespace {

// Where a picoprocess has its private mounts.
constexpr std::array kDirectories{"proc", "dev", "tmp", "run", "home", "var", "var/tmp"};

class MmapDelivery : public Delivery {
 public:
  MmapDelivery()
      : root_(new_mount("tmpfs", {{"mode", "755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)) {
    for (const char* each : kDirectories)
      // The launcher's umask is not the application's.
      if (::mkdirat(root_.get(), each, 0755) != 0 || ::fchmodat(root_.get(), each, 0755, 0) != 0)
        throw_errno(std::string("delivery mmap: cannot make /") + each);
    make_read_only(root_);
  }

  UniqueFd deliver(const zar::Image& image, Delivered* delivered) override {
    image_ = &image;
    if (delivered != nullptr) *delivered = {1, 0};
    return std::move(root_);
  }

  const MappedProgram* program(const Environment& environment) override {
    program_.plan = plan_static_program(*image_, programs_to_try(environment));
    program_.image = sealed_file_behind(image_->data());
    if (!program_.image) program_.image = sealed_file_of(image_->data(), "image");
    return &program_;
  }

 private:
  UniqueFd root_;
  const zar::Image* image_ = nullptr;
  MappedProgram program_;
};

std::string memory_files_unavailable() {
  const UniqueFd file = sealed_file_of(std::array{std::byte{0xc3}}, "probe");
  void* const code = ::mmap(nullptr, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, file.get(), 0);
  if (code == MAP_FAILED)
    return std::string("the host lets nobody map a memory file for execution (") +
           std::strerror(errno) + "); its security module forbids it";
  ::munmap(code, 1);
  return {};
}

}  // namespace

std::unique_ptr<Delivery> make_mmap_delivery() { return std::make_unique<MmapDelivery>(); }

std::string mmap_unavailable() {
  if (auto why = picoprocess_unavailable(); !why.empty()) return why;
  static const std::string why = memory_files_unavailable();  // asked by every launch
  return why;
}

}  // namespace missive::launch
