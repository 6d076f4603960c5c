// AES-128-GMAC (NIST SP 800-38D) through libipsec-mb: with VAES and VPCLMULQDQ near the speed of
// memory.

#include <algorithm>
#include <utility>

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include "real/verify/algorithms/multi_buffer_jobs.h"

namespace missive::verify {

namespace {

// Asks for all cache lines of `bytes`. Three things of its form show at 4 KiB, where every tag is
// followed by 64 such requests (AMD Zen 5; docs/verification.md, "Short blocks"):
// - without a branch: a loop of 64 rounds ends in one that the processor foresees in some processes
//   and not in others, where it cost 0.3 ms of 4.3 for 100 MiB;
// - each address follows from the one before, so that one line is asked for a cycle: requests that
//   come faster are lost, and 100 MiB take up to 1.6 times as long;
// - few instructions: they stand between one tag's multiplications and the next one's.
constexpr std::size_t kCacheLine = 64, kRun = 4 << 10;

// Returns the line behind. The barrier keeps the compiler from making the addresses independent.
[[gnu::always_inline]] inline const std::byte* prefetch_line(const std::byte* at) {
  __builtin_prefetch(at);
  at += kCacheLine;
  asm volatile("" : "+r"(at));
  return at;
}

template <std::size_t... Line>
[[gnu::always_inline]] inline const std::byte* prefetch_lines(const std::byte* at,
                                                              std::index_sequence<Line...>) {
  ((static_cast<void>(Line), at = prefetch_line(at)), ...);
  return at;
}

[[gnu::noinline, gnu::aligned(64)]] void prefetch(std::span<const std::byte> bytes) {
  const std::byte* at = bytes.data();
  const std::byte* const end = at + bytes.size();
  while (static_cast<std::size_t>(end - at) >= kRun)
    at = prefetch_lines(at, std::make_index_sequence<kRun / kCacheLine>());
  const std::size_t rest = static_cast<std::size_t>(end - at);
  for (std::size_t done = 0; done < rest; done += kCacheLine) at = prefetch_line(at);
}

class GmacMb : public Engine {
 public:
  GmacMb(const EngineKey& key, const MultiBuffer::Options& options)
      : Engine(16), manager_(options) {
    IMB_AES128_GCM_PRE(manager_.get(), key.data(), &key_);
  }
  ~GmacMb() override { ::OPENSSL_cleanse(&key_, sizeof key_); }

  void digest(std::span<const std::byte> message, const Nonce& nonce, std::byte* out) override {
    alignas(64) gcm_context_data context;
    tag(message, nonce, context, out);
  }

  // The processor's own prefetch ends at each page and each tag: left to it, 100 MiB by 4 KiB take
  // up to 1.7 times as long as they do with the block after the next asked for in time.
  void digest_blocks(std::span<const std::byte> data, std::size_t block, std::uint64_t first,
                     std::span<std::byte> out) override {
    alignas(64) gcm_context_data context;
    for (std::size_t at = 0, n = 0; at < data.size(); at += block, ++n) {
      if (block <= kShortBlock && at + kAhead < data.size()) {
        const auto ahead = data.subspan(at + kAhead);
        prefetch(ahead.first(std::min(block, ahead.size())));
      }
      tag(data.subspan(at, std::min(block, data.size() - at)), nonce_of(first + n), context,
          out.data() + n * digest_bytes());
    }
  }

 private:
  static constexpr std::size_t kShortBlock = 16 << 10, kAhead = 8 << 10;

  // The direct interface: one message at a time fills the processor, and a job has more to set up.
  // GMAC is GCM with an empty plaintext (SP 800-38D section 3); as one call it takes less than as
  // three.
  void tag(std::span<const std::byte> message, const Nonce& nonce, gcm_context_data& context,
           std::byte* out) {
    IMB_AES128_GCM_ENC(manager_.get(), &key_, &context, nullptr, nullptr, 0,
                       reinterpret_cast<const std::uint8_t*>(nonce.data()),
                       reinterpret_cast<const std::uint8_t*>(message.data()), message.size(),
                       reinterpret_cast<std::uint8_t*>(out), digest_bytes());
  }

  MultiBuffer manager_;
  alignas(64) gcm_key_data key_{};  // the library stores whole aligned vectors
};

}  // namespace

std::unique_ptr<Engine> gmac_mb_engine(const EngineKey& key, const MultiBuffer::Options& options) {
  return std::make_unique<GmacMb>(key, options);
}

Algorithm gmac_mb_algorithm() {
  Algorithm a;
  a.name = "gmac-mb";
  a.library = "libipsec-mb";
  a.family = Family::mac;
  a.nonce = NonceRule::unique;
  a.digest_bytes = 16;
  a.guarantee =
      "forgery chance about (blocks + 1) / 2^128 a try; one repeated (key, nonce) gives the hash "
      "key away";
  a.vectors = "NIST CAVP gcmEncryptExtIV128, McGrew and Viega test case 1";
  a.make = [](const EngineKey& key) {
    return gmac_mb_engine(key, {best_level(cpu_features()), false});
  };
  return a;
}

}  // namespace missive::verify
