#pragma once
// Memory protection keys (pkeys(7)): each page carries one of 16 keys, and a register of the
// thread, PKRU, says for each key whether its pages may be read and written. User code changes it
// by an instruction, WRPKRU. Fetching instructions is not subject to it.
//
// Key 0 is that of all memory nobody tagged: the host's. While a guest runs, PKRU denies every key
// but its own; besides, it may read the page with the selector of Syscall User Dispatch, which the
// kernel reads with the guest's rights, and write the stack for signals, where the kernel writes
// with them.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace missive::domains::pkey {

// Empty when CPU and kernel have them.
std::string keys_unavailable();

// PKRU has two bits a key: 1 denies all access, 2 denies writing.
constexpr std::uint32_t kEverything = 0;
constexpr std::uint32_t kNothing = ~0U;
constexpr std::uint32_t allow(std::uint32_t rights, int key) { return rights & ~(3U << 2 * key); }
constexpr std::uint32_t read_only(std::uint32_t rights, int key) {
  return allow(rights, key) | 2U << 2 * key;
}
constexpr bool denies_host(std::uint32_t rights) { return (rights & 1U) != 0; }

std::uint32_t rights();  // of this thread
void set_rights(std::uint32_t new_rights);

// One of the 15 that can be had.
class Key {
 public:
  // Throws RunError that names the limit.
  explicit Key(const std::string& who);
  ~Key();
  Key(const Key&) = delete;
  Key& operator=(const Key&) = delete;
  int number() const { return number_; }

 private:
  int number_;
};

// Gives whole pages a key (0: the host's) and a protection (PROT_*). Throws RunError.
void tag(std::span<std::byte> pages, int protection, int key, const std::string& who);

// What a guest's rights in a signal's frame are, and how a handler gives others to what it
// interrupted: PKRU is part of the saved state (XSAVE component 9).
std::uint32_t rights_in_frame(const void* floating_point_state);
void set_rights_in_frame(void* floating_point_state, std::uint32_t new_rights);

}  // namespace missive::domains::pkey
