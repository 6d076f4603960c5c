#pragma once
// Linear memory of a WebAssembly instance: address space that holds the module's own memory, the
// host's message areas behind it, and, in guard mode, everything a 32-bit address and a 32-bit
// offset can reach.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace missive::domains {

inline constexpr std::size_t kWasmPage = 64 << 10;

enum class WasmChecks { guard, bounds };

// One reservation. In guard mode it is inaccessible until pages are committed, and 8 GiB and one
// page long: address plus offset reach 2^33 - 2, and the access itself up to 8 bytes further. In
// bounds mode it is readable and writable at once but costs nothing until touched (MAP_NORESERVE,
// mmap(2)); neighbouring reservations then merge into one mapping of the kernel's list.
class WasmReservation {
 public:
  // `limit`: the most that instance may ever have, in bytes. Throws RunError that names the limit
  // of the host that was met.
  WasmReservation(WasmChecks checks, std::size_t limit);
  WasmReservation(const WasmReservation&) = delete;
  WasmReservation& operator=(const WasmReservation&) = delete;
  ~WasmReservation();

  std::byte* data() const { return data_; }
  // Where a stray access of the instance can fault.
  std::span<const std::byte> guarded() const { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Why the kernel refused memory (errno ENOMEM): "address space", "mappings" or "memory", with the
// numbers and the setting to change. For messages.
std::string which_limit(const std::string& wanted);

}  // namespace missive::domains
