#pragma once
// Verification of bytes in memory, timed: the whole of what a verifier does once the bytes are
// mapped, that is digests of all messages, a tree over them or not, and the comparison with what
// was expected.
//
// The bytes lie in a memory file, mapped shared and touched before, as an image from a cache is.
// Threads are a team that exists already and is pinned, one to a CPU; the time runs from waking
// them until the last is done.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "models/verification.h"
#include "real/fd.h"
#include "real/verify/algorithm.h"

namespace missive::measure {

// CPUs this process may use.
int usable_cpus();

// Whether all digests of `size` bytes are the expected ones, up to the first that is not: each
// compared for itself and in constant time, as real/verify/block_verifier.h does it. OpenSSL
// compares 16 bytes as two words, and a longer run, such as all tags at once, byte by byte.
bool same_digests(std::span<const std::byte> found, std::span<const std::byte> expected,
                  std::size_t size);

class VerificationTimer {
 public:
  // Content for works of up to `most` bytes. Throws RunError.
  explicit VerificationTimer(std::uint64_t most);
  ~VerificationTimer();

  // Seconds of one pass. `work.algorithm` is one of verify::algorithms(), or "read" or "copy"; the
  // first pass of each work is made twice, its warm-up not timed. Throws NotAvailable (algorithm,
  // more threads than CPUs), RunError when the outcome is not what the warm-up had.
  double run(const VerificationWork& work);

  // Seconds from waking a team of `threads` for nothing until all said so.
  double wake_team(std::uint64_t threads);

 private:
  class Team;
  struct Prepared;
  Prepared& prepare(const VerificationWork& work);
  Team& team(std::uint64_t threads);
  void make_resident(const VerificationWork& work);

  Mapping content_, copy_, eviction_;
  std::map<std::string, std::unique_ptr<Prepared>> prepared_;
  std::map<std::uint64_t, std::unique_ptr<Team>> teams_;
};

}  // namespace missive::measure
