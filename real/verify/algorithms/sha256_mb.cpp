// SHA-256 of many messages at once, one in each vector lane: sixteen with AVX-512. Messages of
// 64 KiB and more go through OpenSSL, one after the other (multi_buffer_jobs.h, kLongestJob).

#include <intel-ipsec-mb.h>

#include "real/verify/algorithms/multi_buffer_jobs.h"

namespace missive::verify {

namespace {

class Sha256Mb : public Engine {
 public:
  explicit Sha256Mb(const MultiBuffer::Options& options)
      : Engine(32), manager_(options), alone_(algorithm("sha256").make({})) {}

  void digest(std::span<const std::byte> message, const Nonce& nonce, std::byte* out) override {
    if (message.size() > kLongestJob)
      alone_->digest(message, nonce, out);
    else
      run(message, std::max<std::size_t>(message.size(), 1), {out, digest_bytes()});
  }
  void digest_blocks(std::span<const std::byte> data, std::size_t block, std::uint64_t first,
                     std::span<std::byte> out) override {
    if (block > kLongestJob)
      Engine::digest_blocks(data, block, first, out);
    else if (!data.empty())
      run(data, block, out);
  }

 private:
  void run(std::span<const std::byte> data, std::size_t block, std::span<std::byte> out) {
    run_hash_jobs(manager_, data, block, out, digest_bytes(),
                  [](IMB_JOB& job) { job.hash_alg = IMB_AUTH_SHA_256; });
  }
  MultiBuffer manager_;
  std::unique_ptr<Engine> alone_;  // for messages beyond kLongestJob
};

}  // namespace

std::unique_ptr<Engine> sha256_mb_engine(const MultiBuffer::Options& options) {
  return std::make_unique<Sha256Mb>(options);
}

Algorithm sha256_mb_algorithm() {
  Algorithm a;
  a.name = "sha256-mb";
  a.library = "libipsec-mb";
  a.family = Family::hash;
  a.digest_bytes = 32;
  a.guarantee = "collision resistant, 128 bits";
  a.vectors = "FIPS 180-4 examples";
  a.longest = kLongestJob;
  a.beyond = "sha256";
  a.make = [](const EngineKey&) { return sha256_mb_engine({best_level(cpu_features()), false}); };
  return a;
}

}  // namespace missive::verify
