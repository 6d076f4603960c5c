#pragma once
// An instance of the service's WebAssembly module, and a pool of used ones.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "real/domains/domain.h"
#include "real/domains/guests/wasm_module.h"
#include "real/domains/trap.h"
#include "real/domains/wasm_memory.h"
#include "real/fd.h"

namespace missive::domains {

// How the host divides the memory behind the module's own: offsets into linear memory, each on a
// page of 64 KiB.
struct WasmLayout {
  std::size_t message = 0, shared = 0;  // bytes, whole pages

  // Throws InputError when it cannot fit into 32-bit addresses.
  static WasmLayout of(const DomainOptions& options);
  std::size_t bytes() const { return 2 * message + shared; }
  bool operator==(const WasmLayout&) const = default;
};

// What memory.grow may add to an instance: enough for a service, not enough to hurt the host.
inline constexpr std::size_t kWasmGrowth = 64 << 20;

class WasmInstance {
 public:
  // With an `image` (a memfd of the module's initial memory) the module's own pages are mapped
  // from it copy-on-write, and reset() brings them back. Throws RunError.
  WasmInstance(WasmChecks checks, const WasmLayout& layout, int image = -1);
  WasmInstance(const WasmInstance&) = delete;
  WasmInstance& operator=(const WasmInstance&) = delete;
  ~WasmInstance();

  const missive_wasm_module& module() const { return module_; }
  void* state() { return state_.get(); }
  std::span<const std::byte> guarded() const { return reservation_.guarded(); }
  const WasmLayout& layout() const { return layout_; }

  std::span<const std::byte> initial_memory() const { return {reservation_.data(), request_at()}; }
  std::byte* at(std::uint32_t offset) { return reservation_.data() + offset; }
  std::uint32_t request_at() const { return request_at_; }
  std::uint32_t reply_at() const {
    return request_at_ + static_cast<std::uint32_t>(layout_.message);
  }
  std::uint32_t shared_at() const {
    return reply_at() + static_cast<std::uint32_t>(layout_.message);
  }

  // As after creation, whatever the guest did: memory from the image or zero (madvise(2),
  // MADV_DONTNEED), grown pages gone, globals as instantiated. The table of functions needs no
  // reset: clang's output has no instruction that writes it. Throws RunError.
  void reset();

 private:
  void instantiate(int image);

  const missive_wasm_module& module_;
  WasmLayout layout_;
  bool commits_;
  WasmReservation reservation_;
  std::unique_ptr<std::byte[]> state_, pristine_;  // the generated struct, and as instantiated
  std::uint32_t request_at_ = 0;
};

// Used guard-mode instances, reset and ready. One in a process; keeps at most kKept.
class WasmPool {
 public:
  static constexpr std::size_t kKept = 256;
  static WasmPool& global();

  std::unique_ptr<WasmInstance> take(const WasmLayout& layout);  // throws RunError
  void give_back(std::unique_ptr<WasmInstance> instance) noexcept;

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<WasmInstance>> ready_;
  UniqueFd image_;
};

}  // namespace missive::domains
