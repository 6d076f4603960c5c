#pragma once
// The kernel that microVMs boot: Debian's linux-image-cloud-amd64, unpacked into the program's home
// by scripts/guest-kernel and never part of the project.

#include <filesystem>
#include <functional>
#include <string>

namespace missive::domains::microvm {

// Where it lies once it is there: home()/kernels/debian-12/vmlinuz.
std::filesystem::path kernel_file();
bool kernel_is_there();

// Fetches it (27 MB, once) unless it is there. Throws NotAvailable (offline, no apt), RunError.
std::filesystem::path ensure_kernel(const std::function<void(const std::string&)>& progress = {});

}  // namespace missive::domains::microvm
