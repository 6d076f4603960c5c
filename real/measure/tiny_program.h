#pragma once
// The smallest static program: an application without a loader, libraries or start-up work, for
// micro-measurements and tests.

#include <cstdint>
#include <string>

namespace missive::measure {

// An x86-64 ELF executable (elf(5)) that writes `says` to its standard output (nothing when empty)
// and then waits for signals. Throws std::invalid_argument when `says` is longer than 120 bytes.
std::string tiny_program(const std::string& says);

// The first page of an executable that, before it does the same, reads one byte of each page of the
// first `touched` of the `data` bytes which have to follow in the file, in order. Throws
// std::invalid_argument as well when these are none, more than 1 GiB, or fewer than `touched`.
std::string reading_program(const std::string& says, std::uint64_t data, std::uint64_t touched);

}  // namespace missive::measure
