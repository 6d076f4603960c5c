#include "real/domains/wasm_memory.h"

#include <atomic>
#include <cerrno>
#include <fstream>

#include <sys/mman.h>
#include <sys/resource.h>

#include "models/error.h"
#include "real/fd.h"

namespace missive::domains {

namespace {

constexpr std::size_t kGuardedReach = (std::size_t{8} << 30) + kWasmPage;
std::atomic<std::size_t> live_reservations{0};

std::size_t number_in(const char* path) {
  std::ifstream file(path);
  std::size_t value = 0;
  file >> value;
  return value;
}

std::size_t mappings_of_this_process() {
  std::ifstream file("/proc/self/maps");
  std::size_t lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

}  // namespace

std::string which_limit(const std::string& wanted) {
  const std::size_t maps = mappings_of_this_process();
  const std::size_t most = number_in("/proc/sys/vm/max_map_count");
  if (most != 0 && maps + 8 >= most)
    return wanted + ": this process has " + std::to_string(maps) + " of " + std::to_string(most) +
           " mappings; raise the sysctl vm.max_map_count";
  rlimit limit{};
  ::getrlimit(RLIMIT_AS, &limit);
  if (limit.rlim_cur != RLIM_INFINITY)
    return wanted + ": the address space of this process is limited to " +
           std::to_string(limit.rlim_cur >> 20) + " MiB; raise it (ulimit -v)";
  return wanted + ": the address space of this process is full with " +
         std::to_string(live_reservations.load()) +
         " reservations live (x86-64 gives 128 TiB); use fewer domains, or bounds checks, which "
         "reserve less";
}

WasmReservation::WasmReservation(WasmChecks checks, std::size_t limit)
    : size_(checks == WasmChecks::guard ? kGuardedReach : limit) {
  const int protection = checks == WasmChecks::guard ? PROT_NONE : PROT_READ | PROT_WRITE;
  void* at = ::mmap(nullptr, size_, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    const std::string wanted = "cannot reserve " + std::to_string(size_ >> 20) +
                               " MiB of address space for a WebAssembly instance";
    if (errno == ENOMEM) throw RunError(which_limit(wanted));
    throw_errno(wanted);
  }
  data_ = static_cast<std::byte*>(at);
  live_reservations.fetch_add(1, std::memory_order_relaxed);
}

WasmReservation::~WasmReservation() {
  ::munmap(data_, size_);
  live_reservations.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace missive::domains
