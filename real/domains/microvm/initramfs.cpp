#include "real/domains/microvm/initramfs.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace missive::domains::microvm {

namespace {

constexpr unsigned kDirectory = 0040755, kProgram = 0100755;

class Archive {
 public:
  void add(std::string_view name, unsigned mode, std::span<const std::byte> content) {
    // ino, mode, uid, gid, nlink, mtime, filesize, device and special device, namesize, check
    text(
        fmt::format("070701{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}{:08X}"
                    "{:08X}",
                    ++files_, mode, 0, 0, 1, 0, content.size(), 0, 0, 0, 0, name.size() + 1, 0));
    text(name);
    bytes_.push_back(std::byte{0});
    pad();
    bytes_.insert(bytes_.end(), content.begin(), content.end());
    pad();
  }
  std::vector<std::byte> take() {
    add("TRAILER!!!", 0, {});
    return std::move(bytes_);
  }

 private:
  void text(std::string_view s) {
    std::transform(s.begin(), s.end(), std::back_inserter(bytes_),
                   [](char c) { return static_cast<std::byte>(c); });
  }
  void pad() { bytes_.resize((bytes_.size() + 3) / 4 * 4); }

  std::vector<std::byte> bytes_;
  unsigned files_ = 0;
};

}  // namespace

std::vector<std::byte> initramfs(std::span<const std::byte> program) {
  Archive archive;
  archive.add("dev", kDirectory, {});
  archive.add("init", kProgram, program);
  return archive.take();
}

}  // namespace missive::domains::microvm
