#include "real/domains/program_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "real/domains/shared_channel.h"
#include "real/fd.h"

namespace missive::domains {

namespace {

UniqueFd make() {
  UniqueFd fd(::memfd_create("service", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) throw_errno("cannot make a memory file for the service's program");
  std::span<const std::byte> rest = shared_service_program();
  while (!rest.empty()) {
    const ssize_t n = ::write(fd.get(), rest.data(), rest.size());
    if (n <= 0) throw_errno("cannot write the service's program");
    rest = rest.subspan(static_cast<std::size_t>(n));
  }
  constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
  if (::fcntl(fd.get(), F_ADD_SEALS, kSeals) != 0) throw_errno("cannot seal the service's program");
  return fd;
}

}  // namespace

int service_program_fd() {
  static const UniqueFd fd = make();
  return fd.get();
}

}  // namespace missive::domains
