// What a compiler may call though nobody wrote it: for init and for the loader.

#include "real/launch/init/memory.h"

// By string instructions: a compiler might turn a loop back into a call of the function it is in.
extern "C" {

void* memcpy(void* to, const void* from, std::size_t size) noexcept {
  void* at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
  return to;
}

void* memmove(void* to, const void* from, std::size_t size) noexcept {
  if (to <= from || size == 0) return memcpy(to, from, size);
  void* at = static_cast<char*>(to) + size - 1;
  from = static_cast<const char*>(from) + size - 1;
  __asm__ volatile("std; rep movsb; cld" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
  return to;
}

void* memset(void* at, int value, std::size_t size) noexcept {
  void* to = at;
  __asm__ volatile("rep stosb" : "+D"(to), "+c"(size) : "a"(value) : "memory");
  return at;
}
}
