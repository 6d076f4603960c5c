#pragma once
// libipsec-mb's manager of multi-buffer jobs (intel-ipsec-mb.h), with the instruction set chosen at
// run time. A manager serves one thread at a time. Making one costs some 0.13 ms, more than a block
// of 1 MiB takes, so managers that are no longer used are kept for the next one who asks.
//
// What it is good for depends on the processor: with AVX-512 sixteen SHA-256 messages go through
// the vector lanes at once, and with VAES and VPCLMULQDQ on top GMAC runs near the speed of memory;
// without them OpenSSL is as fast or faster. preferred_*() say which algorithm to take.

#include <cstdint>
#include <memory>
#include <string>

struct IMB_MGR;

namespace missive::verify {

// What of the processor decides, most of it as libipsec-mb detects it.
struct CpuFeatures {
  bool aesni = false, avx2 = false, avx512 = false;  // avx512: F, DQ, CD, BW and VL
  bool vaes = false;                                 // VAES and VPCLMULQDQ
  bool sha_ni = false;
  // Takes requests for the 64 lines of a page without waiting for them: known of AMD's family 26
  // (Zen 5). Family 25 (Zen 4) waits, 120 ns a page.
  bool quick_prefetch = false;
};
CpuFeatures cpu_features();

enum class SimdLevel { sse, avx2, avx512 };
std::string to_string(SimdLevel level);  // "SSE", "AVX2", "AVX-512"
// The widest that `features` allow.
SimdLevel best_level(const CpuFeatures& features);

// Name of the algorithm (algorithm.h) to take for keyed verification by AES-GMAC, and for a
// SHA-256 tree. Both choices of each give the same tags and digests.
std::string preferred_gmac(const CpuFeatures& features);
std::string preferred_sha256(const CpuFeatures& features);

// How messages below a page or two, one behind the other in memory, get to the processor: by asking
// for those ahead, or from two places by turns, each read by the processor's own prefetch.
enum class Fetching { asked_ahead, two_places };
std::string to_string(Fetching fetching);  // "asked ahead", "two places"
Fetching preferred_fetching(const CpuFeatures& features);

class MultiBuffer {
 public:
  struct Options {
    SimdLevel level = SimdLevel::sse;
    bool plain = false;  // without the SHA and GFNI extensions (and what needs them)
    bool operator==(const Options&) const = default;
  };
  // Throws NotAvailable when this processor lacks the level.
  explicit MultiBuffer(const Options& options);
  // At best_level(cpu_features()).
  MultiBuffer();

  ~MultiBuffer();
  MultiBuffer(const MultiBuffer&) = delete;
  MultiBuffer& operator=(const MultiBuffer&) = delete;

  IMB_MGR* get() const { return manager_.get(); }

  // Makes as many ahead as `threads` will ask for at once.
  static void prepare(unsigned threads);

 private:
  struct Free {
    void operator()(IMB_MGR* manager) const noexcept;
  };
  using Manager = std::unique_ptr<IMB_MGR, Free>;
  class Idle;
  static Idle& idle();

  Options options_;
  Manager manager_;
};

}  // namespace missive::verify
