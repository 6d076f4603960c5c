#pragma once
// Fuzz targets: one file NAME_fuzz.cpp beside each parser that reads what an untrusted party wrote,
// which defines kTarget. Two programs are made of it (docs/fuzzing.md):
//
//   in builds with tests   a test that feeds all seeds and a fixed number of mutations of them, the
//                          same in every run (replay_driver.cpp)
//   in the preset "fuzz"   a libFuzzer program with address and undefined-behaviour sanitizers
//                          (libfuzzer_driver.cpp)
//
// What counts as a finding: a crash, a sanitizer's report, an exception that is not missive::Error,
// a property that run() requires and that does not hold, and an input that takes seconds.

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <vector>

#include "models/error.h"

namespace missive::fuzz {

using Bytes = std::vector<std::byte>;

struct Target {
  // Must return for every input, quickly, and without a trace of the inputs before.
  void (*run)(std::span<const std::byte> input);
  // Valid inputs to start from: where mutations are one step from what the parser accepts.
  std::vector<Bytes> (*seeds)();
  unsigned rounds;  // mutations that the test makes, over all seeds
};
extern const Target kTarget;

// A property that must hold whatever the input is.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz target: does not hold: %s\n", what);
  std::abort();
}

// Whether `parse` took the input. Only the errors that callers expect are caught.
template <typename Parse>
bool accepts(Parse&& parse) {
  try {
    parse();
    return true;
  } catch (const Error&) {
    return false;
  }
}

inline Bytes bytes_of(std::span<const char> text) {
  const auto bytes = std::as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

}  // namespace missive::fuzz
