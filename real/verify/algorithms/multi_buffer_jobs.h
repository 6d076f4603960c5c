#pragma once
// Hash jobs of many messages at once through libipsec-mb's job interface, and engines on it at a
// chosen instruction set (multi_buffer.h), so that tests can hold every fallback against the rest.

#include <functional>
#include <span>

#include "real/verify/algorithm.h"
#include "real/verify/multi_buffer.h"

struct IMB_JOB;

namespace missive::verify {

// The lanes count bytes in 16 bits: a longer message is refused (libipsec-mb 1.3, MB_MAX_LEN16).
inline constexpr std::size_t kLongestJob = 65534;

// Runs one job for each message of `block` bytes of `data`; `prepare` fills in what the algorithm
// needs beyond messages and digests. `block` is at most kLongestJob when `data` is longer than
// that. Throws RunError when the library refuses a job.
void run_hash_jobs(MultiBuffer& manager, std::span<const std::byte> data, std::size_t block,
                   std::span<std::byte> out, std::size_t digest_bytes,
                   const std::function<void(IMB_JOB&)>& prepare);

std::unique_ptr<Engine> sha256_mb_engine(const MultiBuffer::Options& options);
std::unique_ptr<Engine> gmac_mb_engine(const EngineKey& key, const MultiBuffer::Options& options,
                                       Fetching fetching);
std::unique_ptr<Engine> cmac_mb_engine(const EngineKey& key, const MultiBuffer::Options& options);

}  // namespace missive::verify
