#pragma once
// The smallest static program: an application without a loader, libraries or start-up work, for
// micro-measurements and tests.

#include <string>

namespace missive::measure {

// An x86-64 ELF executable (elf(5)) that writes `says` to its standard output (nothing when empty)
// and then waits for signals. Throws std::invalid_argument when `says` is longer than 120 bytes.
std::string tiny_program(const std::string& says);

}  // namespace missive::measure
