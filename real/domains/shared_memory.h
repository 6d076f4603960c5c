#pragma once
// Memory that a forked child shares with its parent: anonymous, MAP_SHARED (mmap(2)). Pages take
// memory when they are first touched.

#include <cstddef>
#include <span>
#include <string>

#include <sys/mman.h>

#include "real/fd.h"

namespace missive::domains {

class SharedMemory {
 public:
  SharedMemory() = default;
  SharedMemory(std::size_t bytes, const std::string& what) {
    if (bytes == 0) return;
    void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
      throw_errno(what + ": no shared memory (limits: memory, vm.max_map_count, RLIMIT_AS)");
    span_ = {static_cast<std::byte*>(p), bytes};
  }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() {
    if (!span_.empty()) ::munmap(span_.data(), span_.size());
  }
  std::span<std::byte> span() const { return span_; }

 private:
  std::span<std::byte> span_;
};

}  // namespace missive::domains
