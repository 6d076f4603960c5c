#pragma once
// A root file system for a kernel to boot with, of one program: a cpio archive in the "newc" format
// (Documentation/driver-api/early-userspace/buffer-format.rst of the kernel), not compressed.

#include <cstddef>
#include <span>
#include <vector>

namespace missive::domains::microvm {

// `program` as /init, and /dev for it to mount devices on.
std::vector<std::byte> initramfs(std::span<const std::byte> program);

}  // namespace missive::domains::microvm
