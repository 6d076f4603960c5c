#pragma once
// How long it takes to check bytes that are in memory already: so many messages of a size through
// an algorithm, on so many cores.
//
//   one core    bytes * c(message size, residency)           c: seconds a byte, interpolated
//   n cores     max(one core / n, bytes / what all cores read together) + start of the team
//
// c is calibrated at message sizes and image sizes that no experiment uses (kMessageSizes,
// kCalibrationBytes). In between, the time of a message is a straight line over its size: set-up,
// and so much a byte. What lies in memory and what lies in the caches have costs of their own,
// because a quick MAC waits for memory and a slow hash does not.
//
// Parameters:  verify.ALGORITHM.SIZE.memory.byte_s, .cache.byte_s   (SIZE in bytes)
//              verify.read.memory.byte_s, verify.read.all.byte_s (all cores together), the same of
//              verify.copy, and verify.team.call_s

#include <cstdint>
#include <string>
#include <vector>

#include "models/parameter.h"
#include "models/quantity.h"

namespace missive {

enum class Residency { memory, cache };
std::string to_string(Residency residency);

// Message sizes of the calibration, in bytes. The short ones with everything in the first-level
// cache: one and two blocks of a hash, and some.
inline constexpr std::uint64_t kShortSizes[] = {56, 120, 500};
inline constexpr std::uint64_t kMessageSizes[] = {1024, 2048, 8192, 32768, 262144, 4194304};
// Bytes it works on; for `memory` the caches are emptied before.
inline constexpr std::uint64_t kCalibrationBytes = 40 << 20, kCachedCalibrationBytes = 2 << 20;

struct VerificationWork {
  std::string algorithm;
  Bytes bytes{};
  std::uint64_t message = 0;  // bytes of each message; the last may be shorter
  std::uint64_t threads = 1;
  Residency residency = Residency::memory;
  // Of a tree over the digests: children of a node; 0: no tree.
  std::uint64_t degree = 0, digest_bytes = 0;
  // From this message size on, the work is another algorithm's (its name); 0: never.
  std::uint64_t other_from = 0;
  std::string other = {};
};

struct VerificationCost {
  double seconds = 0;
  std::vector<std::string> parameters;
  std::string formula;
};

std::string verify_parameter(const std::string& algorithm, std::uint64_t message,
                             Residency residency);

// "read" and "copy" are algorithms here: their cost does not depend on the message size. Throws
// InputError for a parameter that is not there.
VerificationCost predict(const VerificationWork& work, const ParameterSet& parameters);

// Messages that the inner nodes of a tree over `leaves` digests are, and their bytes.
struct InnerNodes {
  std::uint64_t nodes = 0, bytes = 0;
};
InnerNodes inner_nodes_of(std::uint64_t leaves, std::uint64_t degree, std::uint64_t digest_bytes);

}  // namespace missive
