#pragma once
// Memory files that can no longer change (fcntl(2), F_ADD_SEALS), for what has to
// read an image by descriptor rather than through the launcher's mapping.

#include <cstddef>
#include <span>
#include <string>

#include "real/fd.h"

namespace missive::launch {

// A memory file with these bytes, sealed. Throws RunError.
UniqueFd sealed_file_of(std::span<const std::byte> bytes, const std::string& what);

// The same, for execveat(2). Throws NotAvailable where the host has forbidden such files.
UniqueFd sealed_program_of(std::span<const std::byte> bytes, const std::string& what);

// The sealed memory file that `memory` is a mapping of, from the file's start and to its end;
// nothing when it is none, as after a copy. It is found by the memory itself (proc(5),
// /proc/PID/map_files), so that who reads by it reads what was verified in the mapping, however
// both came here. Needs root of the host; nothing otherwise.
UniqueFd sealed_file_behind(std::span<const std::byte> memory);

}  // namespace missive::launch
