#pragma once
// What a compiler may call though nobody wrote it, and what init uses of the C library.

#include <cstddef>

extern "C" {
void* memcpy(void* to, const void* from, std::size_t size) noexcept;
void* memmove(void* to, const void* from, std::size_t size) noexcept;
void* memset(void* at, int value, std::size_t size) noexcept;
}
