#pragma once
// What every mechanism does around a call: sizes checked before, the service's answer judged after.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "real/domains/domain.h"
#include "real/domains/host_service.h"
#include "real/domains/service/service.h"

namespace missive::domains {

// The service's own signature (service.h). Mechanisms that run it from this program's image take
// any function of this form, so that tests can put another one in its place.
using ServiceFunction = std::int64_t (*)(std::int32_t entry, const std::uint8_t* request,
                                         std::size_t size, std::uint8_t* reply,
                                         std::size_t capacity);

// The service, what only a service in this program's code can do behind the entries from 50 on, and
// the hostile guest behind those from 100 on (attacks.h): what mechanisms run that have no image of
// their own.
inline std::int64_t native_service(std::int32_t entry, const std::uint8_t* request,
                                   std::size_t size, std::uint8_t* reply, std::size_t capacity) {
  constexpr std::int32_t kFirstOfHost = 50, kFirstAttack = 100;
  if (entry < kFirstOfHost) return missive_service(entry, request, size, reply, capacity);
  return entry < kFirstAttack ? host_service(entry, request, size, reply, capacity)
                              : missive_attack(entry, request, size, reply, capacity);
}

inline const std::uint8_t* as_bytes(std::span<const std::byte> s) {
  return reinterpret_cast<const std::uint8_t*>(s.data());
}
inline std::uint8_t* as_bytes(std::span<std::byte> s) {
  return reinterpret_cast<std::uint8_t*>(s.data());
}

// Whether `inner` lies in `outer` as a whole; an empty `inner` lies nowhere.
inline bool lies_in(std::span<const std::byte> inner, std::span<const std::byte> outer) {
  return !inner.empty() && inner.data() >= outer.data() &&
         inner.data() + inner.size() <= outer.data() + outer.size();
}

[[noreturn]] void refuse_message(const char* mechanism, std::size_t request, std::size_t reply,
                                 std::size_t limit);
[[noreturn]] void refuse_answer(const char* mechanism, std::int64_t answer, std::size_t capacity);

// Throws InputError when request or reply exceed DomainOptions::max_message.
inline void check_message(const char* mechanism, std::size_t request, std::size_t reply,
                          std::size_t limit) {
  if (request > limit || reply > limit) refuse_message(mechanism, request, reply, limit);
}

// Length of the reply. Throws InputError when the service refused (-1: unknown entry, malformed
// request, or a reply that does not fit), DomainFault for a length that no service of ours gives:
// the other side is not to be trusted.
inline std::size_t checked_answer(const char* mechanism, std::int64_t answer,
                                  std::size_t capacity) {
  if (answer < 0 || static_cast<std::uint64_t>(answer) > capacity)
    refuse_answer(mechanism, answer, capacity);
  return static_cast<std::size_t>(answer);
}

}  // namespace missive::domains
