#include "real/measure/read_memory.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace missive::measure {

namespace {

std::uint64_t read_words(const std::byte* p, std::size_t quarter) {
  std::uint64_t sum[4] = {};
  for (std::size_t at = 0; at < quarter; at += 8)
    for (std::size_t s = 0; s < 4; ++s) {
      std::uint64_t word;
      std::memcpy(&word, p + s * quarter + at, 8);
      sum[s] ^= word;
    }
  return sum[0] ^ sum[1] ^ sum[2] ^ sum[3];
}

#if defined(__x86_64__)
[[gnu::target("avx2")]] std::uint64_t read_avx2(const std::byte* p, std::size_t quarter) {
  __m256i sum[4] = {};
  for (std::size_t at = 0; at < quarter; at += 32)
    for (std::size_t s = 0; s < 4; ++s)
      sum[s] = _mm256_xor_si256(
          sum[s], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + s * quarter + at)));
  const __m256i all =
      _mm256_xor_si256(_mm256_xor_si256(sum[0], sum[1]), _mm256_xor_si256(sum[2], sum[3]));
  alignas(32) std::uint64_t words[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(words), all);
  return words[0] ^ words[1] ^ words[2] ^ words[3];
}

[[gnu::target("avx512f")]] std::uint64_t read_avx512(const std::byte* p, std::size_t quarter) {
  __m512i sum[4] = {};
  for (std::size_t at = 0; at < quarter; at += 64)
    for (std::size_t s = 0; s < 4; ++s)
      sum[s] = _mm512_xor_si512(sum[s], _mm512_loadu_si512(p + s * quarter + at));
  const __m512i all =
      _mm512_xor_si512(_mm512_xor_si512(sum[0], sum[1]), _mm512_xor_si512(sum[2], sum[3]));
  alignas(64) std::uint64_t words[8];
  _mm512_store_si512(words, all);
  std::uint64_t x = 0;
  for (const std::uint64_t word : words) x ^= word;
  return x;
}
#endif

}  // namespace

std::string to_string(ReadWidth width) {
  switch (width) {
    case ReadWidth::words:
      return "64-bit";
    case ReadWidth::avx2:
      return "AVX2";
    case ReadWidth::avx512:
      return "AVX-512";
  }
  return "?";
}

ReadWidth widest_read() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return ReadWidth::avx512;
  if (__builtin_cpu_supports("avx2")) return ReadWidth::avx2;
#endif
  return ReadWidth::words;
}

std::uint64_t read_memory(std::span<const std::byte> memory, ReadWidth width) {
  const std::size_t quarter = memory.size() / 4 / 64 * 64;
#if defined(__x86_64__)
  if (width == ReadWidth::avx512) return read_avx512(memory.data(), quarter);
  if (width == ReadWidth::avx2) return read_avx2(memory.data(), quarter);
#endif
  (void)width;
  return read_words(memory.data(), quarter);
}

}  // namespace missive::measure
