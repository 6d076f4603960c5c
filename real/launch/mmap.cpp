// Delivery "mmap": a static program straight from the image. Its pages are those of the sealed
// memory file from the cache, mapped where its headers say (static_program.h, load_plan.h): no file
// system lies between, and nothing is copied but pages the program writes to. Its root is empty.
// Two launches of one image have the same physical pages, and so has the launcher that verified
// them. Lazily the program's page faults are answered by the launcher (fault_handler.h).

#include <algorithm>
#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/launch/delivery.h"
#include "real/launch/fault_handler.h"
#include "real/launch/init_control.h"
#include "real/launch/launch_runs.h"
#include "real/launch/mounts.h"
#include "real/launch/picoprocess.h"
#include "real/launch/sealed_memory.h"
#include "real/launch/static_program.h"

namespace missive::launch {

namespace {

// Where a picoprocess has its private mounts.
constexpr std::array kDirectories{"proc", "dev", "tmp", "run", "home", "var", "var/tmp"};

class MmapDelivery : public Delivery, private PageWatch {
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

  // Of the content nothing is read but the program's headers, by program().
  UniqueFd deliver_lazily(const zar::Image& image, verify::BlockVerifier& blocks,
                          Delivered* delivered) override {
    blocks_ = &blocks;
    return deliver(image, delivered);
  }

  const MappedProgram* program(const Environment& environment) override {
    LookAt verified;
    if (blocks_ != nullptr)
      verified = [this](std::uint64_t offset, std::uint64_t length) {
        blocks_->require(offset, length);
      };
    program_.plan = plan_static_program(*image_, programs_to_try(environment), verified);
    if (blocks_ != nullptr) {
      program_.plan.watched = 1;
      program_.watch = this;
    }
    program_.image = sealed_file_behind(image_->data());
    if (!program_.image) program_.image = sealed_file_of(image_->data(), "image");
    return &program_;
  }

  // What belongs to the program is mapped for it, the rest only verified. Up to where the program
  // is placed, mapping waits.
  std::uint64_t put_ahead(const std::stop_token& stop) override {
    std::vector<Stretch> unmapped;
    std::uint64_t bytes = 0;
    for (const CoalescedRun& run : runs_by_touch(*image_)) {
      if (stop.stop_requested()) return bytes;
      for (const zar::Extent& part : image_->extents(image_->entries()[run.entry])) {
        const std::uint64_t from = std::max(run.offset, part.file_offset);
        const std::uint64_t to = std::min(run.offset + run.bytes, part.file_end());
        if (from >= to) continue;
        unmapped.push_back({part.offset + (from - part.file_offset), to - from});
        blocks_->require(unmapped.back().offset, unmapped.back().length);
      }
      bytes += run.bytes;
      if (watched(stop, false)) map_ahead(unmapped);
    }
    if (watched(stop, true)) map_ahead(unmapped);
    return bytes;
  }

  std::string failure() const override { return handler_ ? handler_->failure() : std::string(); }

 private:
  struct Stretch {
    std::uint64_t offset = 0, length = 0;  // of the image
  };

  void begin(UniqueFd faults, std::uint64_t base, int pidfd) override {
    const std::lock_guard lock(begun_mutex_);
    handler_.emplace(std::move(faults), program_.plan, base, *blocks_, image_->data().size(),
                     pidfd);
    begun_.notify_all();
  }

  bool watched(const std::stop_token& stop, bool wait) {
    std::unique_lock lock(begun_mutex_);
    const auto there = [&] { return handler_.has_value(); };
    return wait ? begun_.wait(lock, stop, there) : there();
  }

  void map_ahead(std::vector<Stretch>& stretches) {
    for (const Stretch& each : std::exchange(stretches, {}))
      handler_->map_ahead(each.offset, each.length);
  }

  UniqueFd root_;
  const zar::Image* image_ = nullptr;
  verify::BlockVerifier* blocks_ = nullptr;  // lazily
  MappedProgram program_;
  std::mutex begun_mutex_;  // guards the making of handler_
  std::condition_variable_any begun_;
  std::optional<FaultHandler> handler_;
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

std::string mmap_lazily_unavailable() { return fault_handler_unavailable(); }

}  // namespace missive::launch
