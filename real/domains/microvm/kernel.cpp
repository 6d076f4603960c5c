#include "real/domains/microvm/kernel.h"

#include "real/data_dir.h"
#include "real/launch/application.h"
#include "real/made_once.h"

namespace missive::domains::microvm {

namespace fs = std::filesystem;

namespace {

fs::path kernel_directory() { return launch::home() / "kernels" / "debian-12"; }

}  // namespace

fs::path kernel_file() { return kernel_directory() / "vmlinuz"; }

bool kernel_is_there() {
  std::error_code ignored;
  return fs::is_regular_file(kernel_file(), ignored);
}

fs::path ensure_kernel(const std::function<void(const std::string&)>& progress) {
  if (kernel_is_there()) return kernel_file();
  MadeOnce wanted;
  wanted.what = "kernel of microVMs";
  wanted.directory = kernel_directory();
  wanted.how = "fetching Debian's linux-image-cloud-amd64 (27 MB, once)";
  wanted.command = {(data_dir() / "scripts" / "guest-kernel").string()};
  made_once(wanted, progress);
  return kernel_file();
}

}  // namespace missive::domains::microvm
