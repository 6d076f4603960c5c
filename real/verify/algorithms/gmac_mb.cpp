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
  GmacMb(const EngineKey& key, const MultiBuffer::Options& options, Fetching fetching)
      : Engine(16), manager_(options), fetching_(fetching) {
    IMB_AES128_GCM_PRE(manager_.get(), key.data(), &key_);
  }
  ~GmacMb() override { ::OPENSSL_cleanse(&key_, sizeof key_); }

  void digest(std::span<const std::byte> message, const Nonce& nonce, std::byte* out) override {
    alignas(64) gcm_context_data context;
    tag(message, nonce, context, out);
  }

  // The processor's own prefetch ends at each page and each tag. What helps depends on the
  // processor (docs/verification.md, "Short blocks").
  void digest_blocks(std::span<const std::byte> data, std::size_t block, std::uint64_t first,
                     std::span<std::byte> out) override {
    const Blocks blocks{data, block, first, out};
    if (block > kShortBlock)
      one_after_the_other(blocks);
    else if (fetching_ == Fetching::asked_ahead)
      asked_ahead(blocks);
    else
      from_two_places(blocks);
  }

 private:
  static constexpr std::size_t kShortBlock = 16 << 10, kAhead = 8 << 10;

  struct Blocks {
    std::span<const std::byte> data;
    std::size_t block;
    std::uint64_t first;
    std::span<std::byte> out;
    std::size_t count() const { return (data.size() + block - 1) / block; }
    std::span<const std::byte> at(std::size_t n) const {
      return data.subspan(n * block, std::min(block, data.size() - n * block));
    }
  };

  void tag(const Blocks& blocks, std::size_t n, gcm_context_data& context) {
    tag(blocks.at(n), nonce_of(blocks.first + n), context, blocks.out.data() + n * digest_bytes());
  }

  void one_after_the_other(const Blocks& blocks) {
    alignas(64) gcm_context_data context;
    for (std::size_t n = 0; n < blocks.count(); ++n) tag(blocks, n, context);
  }

  // The block after the next while the processor works on this one.
  void asked_ahead(const Blocks& blocks) {
    alignas(64) gcm_context_data context;
    for (std::size_t n = 0; n < blocks.count(); ++n) {
      if (const std::size_t at = n * blocks.block + kAhead; at < blocks.data.size()) {
        const auto ahead = blocks.data.subspan(at);
        prefetch(ahead.first(std::min(blocks.block, ahead.size())));
      }
      tag(blocks, n, context);
    }
  }

  // While one half's block is worked on, the prefetch that the other half's last one began goes on.
  void from_two_places(const Blocks& blocks) {
    alignas(64) gcm_context_data context;
    const std::size_t half = (blocks.count() + 1) / 2;
    for (std::size_t n = 0; n < half; ++n) {
      tag(blocks, n, context);
      if (half + n < blocks.count()) tag(blocks, half + n, context);
    }
  }

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
  Fetching fetching_;
  alignas(64) gcm_key_data key_{};  // the library stores whole aligned vectors
};

}  // namespace

std::unique_ptr<Engine> gmac_mb_engine(const EngineKey& key, const MultiBuffer::Options& options,
                                       Fetching fetching) {
  return std::make_unique<GmacMb>(key, options, fetching);
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
    const CpuFeatures features = cpu_features();
    return gmac_mb_engine(key, {best_level(features), false}, preferred_fetching(features));
  };
  return a;
}

}  // namespace missive::verify
