#pragma once
// Work on all CPUs this process may use.

#include <cstddef>
#include <functional>

namespace missive::zar {

// `wanted`, or for 0 one for each CPU this process may use (sched_setaffinity(2)), at most 16.
unsigned thread_count(unsigned wanted);

// Runs work(0) .. work(count - 1) on `threads` threads, in rising order of start. The first
// exception stops the others and is thrown here.
void in_parallel(unsigned threads, std::size_t count, const std::function<void(std::size_t)>& work);

}  // namespace missive::zar
