#pragma once
// How micro-measurements of one kind of call repeat it.

#include <cstdint>

#include "real/measure/clock.h"
#include "real/measure/micro.h"

namespace missive::measure {

// `work` adds the seconds it wants counted. A sample each: what takes so long is interrupted now
// and then, and a median over many forgets it.
template <typename Work>
void repeat(Sampler& sample, std::uint64_t times, const Work& work) {
  for (std::uint64_t i = 0; i < times; ++i) {
    double t = 0;
    work(t);
    sample.add(1, 0, 0, t);
  }
}

// Everything counted, in one stretch.
template <typename Work>
void repeat_all(Sampler& sample, std::uint64_t times, const Work& work) {
  const double t = seconds_of([&] {
    for (std::uint64_t i = 0; i < times; ++i) work();
  });
  sample.add(times, 0, 0, t);
}

}  // namespace missive::measure
