#pragma once
// Text in gzip files: launch traces, block lists.

#include <filesystem>
#include <string>

namespace missive {

// The whole text of a gzip file, at most `most` bytes (a multiple of 1 MiB), so that a small
// hostile file cannot take all memory. Throws InputError: cannot be opened (and `advice`), not
// compressed, damaged, cut off, more text than a `what` ("launch trace") can have.
std::string read_gzip(const std::filesystem::path& file, std::size_t most, const std::string& what,
                      const std::string& advice);

// Writes a gzip file under a name of its own and gives it `file` when it is whole. The same text
// makes the same bytes. Throws RunError.
void write_gzip(const std::filesystem::path& file, const std::string& text);

}  // namespace missive
