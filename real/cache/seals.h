#pragma once
// Seals of a memfd: why a verifier may read shared memory of a process that it does not trust.

#include <chrono>
#include <cstdint>
#include <string>

namespace missive::cache {

// Throws RunError, prefixed with `where`, unless `fd` is a memory file of exactly `length` bytes
// that nobody can write, shrink or grow any more: it carries F_SEAL_WRITE, F_SEAL_SHRINK and
// F_SEAL_GROW (memfd_create(2), F_GET_SEALS(2const)). Call it before the first look at the
// content: without the seals the cache could change bytes between their verification and their
// use, or truncate the file and raise SIGBUS in its readers. F_SEAL_SEAL is not needed for that: a
// seal is never taken off again.
void require_sealed(int fd, std::uint64_t length, const std::string& where);

// Puts the three seals and F_SEAL_SEAL on. The kernel refuses (EBUSY) while a writable shared
// mapping exists or somebody holds a reference to a page, which may be the kernel itself, moving or
// writing pages of a busy machine; it waits some 150 ms for those to go (mm/memfd.c,
// memfd_wait_for_pins). A longer while is therefore no error yet: this asks again until `patience`
// is over. Throws RunError.
void seal(int fd, const std::string& where,
          std::chrono::milliseconds patience = std::chrono::seconds(3));

}  // namespace missive::cache
