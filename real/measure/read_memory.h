#pragma once
// Reading memory and nothing else: the bound that no verification of bytes in memory can be below.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace missive::measure {

enum class ReadWidth { words, avx2, avx512 };  // 8, 32 and 64 bytes a load
std::string to_string(ReadWidth width);        // "64-bit", "AVX2", "AVX-512"
// The widest loads this processor has.
ReadWidth widest_read();

// The exclusive or of all 64-bit words; a tail of less than 256 bytes is left out. Four streams, a
// quarter of the memory apart: one stream leaves the prefetchers of one core short of what memory
// gives. `width` must be one this processor has.
std::uint64_t read_memory(std::span<const std::byte> memory, ReadWidth width = widest_read());

}  // namespace missive::measure
