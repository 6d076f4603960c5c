#pragma once
// The processor's time stamp counter as a clock: the only one that both sides of a crossing can
// read without a crossing of their own. Fenced, so that what is timed stays between two readings
// (Intel SDM 3B, 18.17; AMD APM 2, 13.2.4).

#include <cstdint>
#include <string>

#include <x86intrin.h>

namespace missive::measure {

inline std::uint64_t time_stamp() {
  _mm_lfence();
  const std::uint64_t now = __rdtsc();
  _mm_lfence();
  return now;
}

// Why it is no clock here; empty when it runs at one rate in all states of all CPUs (CPUID
// 80000007H, EDX bit 8).
std::string time_stamp_unusable();
// Seconds of one tick, by CLOCK_MONOTONIC over some milliseconds; measured once.
double time_stamp_tick();
// Ticks between two readings with nothing in between, on average.
double time_stamp_cost();
// The smallest step it makes: some processors count in steps of many ticks.
std::uint64_t time_stamp_step();

}  // namespace missive::measure
