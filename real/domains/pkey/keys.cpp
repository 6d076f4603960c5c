#include "real/domains/pkey/keys.h"

#include <cerrno>
#include <cstring>

#include <cpuid.h>
#include <sys/mman.h>

#include "models/error.h"
#include "real/domains/map_limit.h"

namespace missive::domains::pkey {

namespace {

constexpr int kComponent = 9;               // of PKRU in the XSAVE area (Intel SDM 1, 13.1)
constexpr std::size_t kPresentParts = 512;  // offset of XSTATE_BV in it

// Offset of PKRU in the standard form of the XSAVE area, which is that of signal frames.
std::size_t frame_offset() {
  static const std::size_t offset = [] {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    __get_cpuid_count(0xd, kComponent, &eax, &ebx, &ecx, &edx);
    return std::size_t{ebx};
  }();
  return offset;
}

}  // namespace

std::string keys_unavailable() {
  const int key = ::pkey_alloc(0, 0);
  if (key >= 0) {
    ::pkey_free(key);
    frame_offset();  // CPUID is not for signal handlers: under a hypervisor it is slow
    return {};
  }
  if (errno == ENOSPC) {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    constexpr unsigned kEnabled = 1U << 4;  // CPUID leaf 7, ECX: the kernel has switched them on
    __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx);
    if ((ecx & kEnabled) != 0) return {};  // all in use at the moment
  }
  return std::string("this CPU or kernel has no memory protection keys (pkey_alloc: ") +
         std::strerror(errno) + "); tested under emulation by real/domains/pkey/pkey_test.cpp";
}

std::uint32_t rights() {
  std::uint32_t low, high;
  asm volatile("rdpkru" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

void set_rights(std::uint32_t new_rights) {
  asm volatile("wrpkru" : : "a"(new_rights), "c"(0), "d"(0) : "memory");
}

Key::Key(const std::string& who) : number_(::pkey_alloc(0, 0)) {
  if (number_ >= 0) return;
  if (errno == ENOSPC)
    throw RunError(who +
                   ": no memory protection key left; a process has 15, a domain takes one, and two "
                   "are for signals");
  throw NotAvailable(who + ": pkey_alloc: " + std::strerror(errno));
}

Key::~Key() { ::pkey_free(number_); }

void tag(std::span<std::byte> pages, int protection, int key, const std::string& who) {
  if (pages.empty()) return;
  if (::pkey_mprotect(pages.data(), pages.size(), protection, key) == 0) return;
  const std::string limit = map_limit_reached();
  throw RunError(who + ": cannot give " + std::to_string(pages.size()) +
                 " bytes a protection key: " + (limit.empty() ? std::strerror(errno) : limit));
}

std::uint32_t rights_in_frame(const void* state) {
  const auto* area = static_cast<const std::byte*>(state);
  std::uint64_t parts;
  std::memcpy(&parts, area + kPresentParts, sizeof parts);
  std::uint32_t value = 0;  // a part that is not there has its initial value
  if ((parts >> kComponent & 1) != 0) std::memcpy(&value, area + frame_offset(), sizeof value);
  return value;
}

void set_rights_in_frame(void* state, std::uint32_t new_rights) {
  auto* area = static_cast<std::byte*>(state);
  std::uint64_t parts;
  std::memcpy(&parts, area + kPresentParts, sizeof parts);
  parts |= std::uint64_t{1} << kComponent;
  std::memcpy(area + kPresentParts, &parts, sizeof parts);
  std::memcpy(area + frame_offset(), &new_rights, sizeof new_rights);
}

}  // namespace missive::domains::pkey
