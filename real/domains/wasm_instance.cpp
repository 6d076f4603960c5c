#include "real/domains/wasm_instance.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace missive::domains {

namespace {

std::size_t whole_pages(std::size_t bytes) { return (bytes + kWasmPage - 1) & ~(kWasmPage - 1); }

std::size_t room_for(const WasmLayout& layout) {
  constexpr std::size_t kModule = 1 << 20;  // its data and stack; wasm.cmake keeps both small
  return kModule + layout.bytes() + kWasmGrowth;
}

}  // namespace

WasmLayout WasmLayout::of(const DomainOptions& options) {
  constexpr std::size_t kMost = (std::size_t{4} << 30) - (std::size_t{1} << 20) - kWasmGrowth;
  if (options.max_message > kMost / 2 || options.shared_bytes > kMost ||
      2 * whole_pages(options.max_message) + whole_pages(options.shared_bytes) >= kMost)
    throw InputError("WebAssembly has 32-bit addresses: two messages of " +
                     std::to_string(options.max_message) + " bytes and " +
                     std::to_string(options.shared_bytes) + " shared do not fit into 4 GiB");
  return {whole_pages(options.max_message), whole_pages(options.shared_bytes)};
}

WasmInstance::WasmInstance(WasmChecks checks, const WasmLayout& layout, int image)
    : module_(checks == WasmChecks::guard ? missive_wasm_guard : missive_wasm_bounds),
      layout_(layout),
      commits_(checks == WasmChecks::guard),
      reservation_(checks, room_for(layout)),
      state_(std::make_unique<std::byte[]>(module_.instance_size)) {
  static std::once_flag once;
  std::call_once(once, [] {
    missive_wasm_guard.init();
    missive_wasm_bounds.init();
  });
  instantiate(image);
}

WasmInstance::~WasmInstance() { module_.free_tables(state_.get()); }

void WasmInstance::instantiate(int image) {
  missive_wasm_reservation r{};
  r.data = reinterpret_cast<std::uint8_t*>(reservation_.data());
  r.extra_pages = static_cast<std::uint32_t>(layout_.bytes() / kWasmPage);
  r.growth_pages = static_cast<std::uint32_t>(kWasmGrowth / kWasmPage);
  r.commit = commits_;
  r.image = image;
  ::missive_wasm_next_memory = &r;
  const TrapScope scope{reservation_.guarded(), {}};
  constexpr auto kInstantiate = [](WasmInstance& i) { i.module_.instantiate(i.state_.get()); };
  const Outcome outcome = run_contained<kInstantiate>(scope, *this);
  ::missive_wasm_next_memory = nullptr;
  if (outcome.trap != Trap::none) {
    module_.free_tables(state_.get());
    throw RunError(which_limit("cannot make the memory of a WebAssembly instance accessible"));
  }
  request_at_ = static_cast<std::uint32_t>(r.pages * kWasmPage);
  if (image >= 0) {
    pristine_ = std::make_unique<std::byte[]>(module_.instance_size);
    std::memcpy(pristine_.get(), state_.get(), module_.instance_size);
  }
}

void WasmInstance::reset() {
  const std::size_t made = shared_at() + layout_.shared;
  const std::size_t now = module_.pages(state_.get()) * kWasmPage;
  if (::madvise(at(0), now, MADV_DONTNEED) != 0 ||
      (now > made && ::mprotect(at(static_cast<std::uint32_t>(made)), now - made, PROT_NONE) != 0))
    throw_errno("cannot reset a WebAssembly instance");
  std::memcpy(state_.get(), pristine_.get(), module_.instance_size);
}

WasmPool& WasmPool::global() {
  static WasmPool pool;
  return pool;
}

std::unique_ptr<WasmInstance> WasmPool::take(const WasmLayout& layout) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(ready_.rbegin(), ready_.rend(),
                                    [&](const auto& i) { return i->layout() == layout; });
    if (found != ready_.rend()) {
      std::unique_ptr<WasmInstance> taken = std::move(*found);
      ready_.erase(std::next(found).base());
      return taken;
    }
    if (!image_) {
      const WasmInstance first(WasmChecks::guard, layout);
      UniqueFd fd(::memfd_create("wasm-image", MFD_CLOEXEC | MFD_ALLOW_SEALING));
      const auto memory = first.initial_memory();
      if (!fd ||
          ::write(fd.get(), memory.data(), memory.size()) != static_cast<ssize_t>(memory.size()))
        throw_errno("cannot write the image of a WebAssembly module");
      if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW) != 0)
        throw_errno("cannot seal the image of a WebAssembly module");
      image_ = std::move(fd);
    }
  }
  auto made = std::make_unique<WasmInstance>(WasmChecks::guard, layout, image_.get());
  made->reset();  // what instantiation wrote is in the image already
  return made;
}

void WasmPool::give_back(std::unique_ptr<WasmInstance> instance) noexcept {
  try {
    instance->reset();
    const std::lock_guard lock(mutex_);
    if (ready_.size() < kKept) ready_.push_back(std::move(instance));
  } catch (...) {
    // One that cannot be reset is destroyed instead.
  }
}

}  // namespace missive::domains
