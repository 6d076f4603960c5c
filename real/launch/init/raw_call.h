#pragma once
// A system call and nothing else: no errno, no cancellation, no lock, no memory but registers. For
// init and the loader, which have no C library, and for the moment before init is a program of its
// own. x86-64.

#include <cstdint>
#include <type_traits>

#ifndef __x86_64__
#error "init's system calls are written for x86-64"
#endif

namespace missive::launch::init {

template <class T>
[[gnu::always_inline, gnu::no_sanitize("thread")]] inline long raw_argument(T value) {
  if constexpr (std::is_null_pointer_v<T>) {
    return 0;
  } else if constexpr (std::is_pointer_v<T>) {
    return static_cast<long>(reinterpret_cast<std::uintptr_t>(value));
  } else {
    return static_cast<long>(value);
  }
}

// Integers and pointers. Returns what the kernel does: -4095 to -1 are errors, -errno.
template <class A = int, class B = int, class C = int, class D = int, class E = int, class F = int>
[[gnu::always_inline, gnu::no_sanitize("thread")]] inline long raw_call(long number, A a = 0,
                                                                        B b = 0, C c = 0, D d = 0,
                                                                        E e = 0, F f = 0) {
  long result = 0;
  register long r10 __asm__("r10") = raw_argument(d);
  register long r8 __asm__("r8") = raw_argument(e);
  register long r9 __asm__("r9") = raw_argument(f);
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(raw_argument(a)), "S"(raw_argument(b)), "d"(raw_argument(c)),
                     "r"(r10), "r"(r8), "r"(r9)
                   : "rcx", "r11", "memory");
  return result;
}

}  // namespace missive::launch::init
