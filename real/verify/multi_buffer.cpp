#include "real/verify/multi_buffer.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include <intel-ipsec-mb.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "models/error.h"

namespace missive::verify {

namespace {

// Of an AMD processor, else 0 (AMD64 Architecture Programmer's Manual, volume 3, appendix E.3:
// CPUID functions 0 and 1).
unsigned amd_family() {
#if defined(__x86_64__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(0, &a, &b, &c, &d) || b != signature_AMD_ebx || c != signature_AMD_ecx ||
      d != signature_AMD_edx || !__get_cpuid(1, &a, &b, &c, &d))
    return 0;
  const unsigned base = (a >> 8) & 0xf, extended = (a >> 20) & 0xff;
  return base == 0xf ? base + extended : base;
#else
  return 0;
#endif
}

}  // namespace

CpuFeatures cpu_features() {
  const std::uint64_t flags = imb_get_feature_flags();
  const auto all = [&](std::uint64_t wanted) { return (flags & wanted) == wanted; };
  CpuFeatures f;
  f.aesni = all(IMB_CPUFLAGS_SSE);
  f.avx2 = all(IMB_CPUFLAGS_AVX2);
  f.avx512 = all(IMB_CPUFLAGS_AVX512);
  f.vaes = all(IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ);
  f.sha_ni = all(IMB_FEATURE_SHANI);
  f.quick_prefetch = amd_family() >= 26;
  return f;
}

std::string to_string(SimdLevel level) {
  switch (level) {
    case SimdLevel::sse:
      return "SSE";
    case SimdLevel::avx2:
      return "AVX2";
    case SimdLevel::avx512:
      return "AVX-512";
  }
  return "?";
}

SimdLevel best_level(const CpuFeatures& f) {
  return f.avx512 ? SimdLevel::avx512 : f.avx2 ? SimdLevel::avx2 : SimdLevel::sse;
}

// libipsec-mb without VAES takes 18.7 ms for 100 MiB where OpenSSL takes 12.3 in one message (AMD
// Zen 4, libipsec-mb 1.3, OpenSSL 3.0).
std::string preferred_gmac(const CpuFeatures& f) { return f.avx512 && f.vaes ? "gmac-mb" : "gmac"; }

// Eight lanes of AVX2 or two of SHA-NI pay; four of SSE do not.
std::string preferred_sha256(const CpuFeatures& f) {
  return f.avx512 || f.sha_ni || f.avx2 ? "sha256-mb" : "sha256";
}

std::string to_string(Fetching fetching) {
  return fetching == Fetching::asked_ahead ? "asked ahead" : "two places";
}

Fetching preferred_fetching(const CpuFeatures& f) {
  return f.quick_prefetch ? Fetching::asked_ahead : Fetching::two_places;
}

void MultiBuffer::Free::operator()(IMB_MGR* manager) const noexcept { free_mb_mgr(manager); }

// Managers that nobody uses. None has a job in flight: whoever submits jobs flushes them.
class MultiBuffer::Idle {
 public:
  Idle() { managers_.reserve(kMost); }
  Manager take(const Options& options) {
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(managers_, options, &Entry::options);
    if (found == managers_.end()) return nullptr;
    Manager manager = std::move(found->manager);
    *found = std::move(managers_.back());
    managers_.pop_back();
    return manager;
  }
  void keep(const Options& options, Manager manager) {
    const std::lock_guard lock(mutex_);
    if (managers_.size() < kMost) managers_.push_back({options, std::move(manager)});
  }

 private:
  static constexpr std::size_t kMost = 16;  // 0.2 MB each
  struct Entry {
    Options options;
    Manager manager;
  };
  std::mutex mutex_;
  std::vector<Entry> managers_;
};

MultiBuffer::Idle& MultiBuffer::idle() {
  static Idle idle;
  return idle;
}

MultiBuffer::MultiBuffer() : MultiBuffer(Options{best_level(cpu_features()), false}) {}

MultiBuffer::MultiBuffer(const Options& options)
    : options_(options), manager_(idle().take(options)) {
  if (manager_) return;
  manager_.reset(alloc_mb_mgr(options.plain ? IMB_FLAG_SHANI_OFF | IMB_FLAG_GFNI_OFF : 0));
  if (!manager_) throw RunError("libipsec-mb: no memory for a manager");
  switch (options.level) {
    case SimdLevel::sse:
      init_mb_mgr_sse(manager_.get());
      break;
    case SimdLevel::avx2:
      init_mb_mgr_avx2(manager_.get());
      break;
    case SimdLevel::avx512:
      init_mb_mgr_avx512(manager_.get());
      break;
  }
  if (const int error = imb_get_errno(manager_.get()); error != 0)
    throw NotAvailable("libipsec-mb at " + to_string(options.level) + ": " +
                       imb_get_strerror(error));
}

MultiBuffer::~MultiBuffer() { idle().keep(options_, std::move(manager_)); }

void MultiBuffer::prepare(unsigned threads) {
  std::vector<std::unique_ptr<MultiBuffer>> all;
  for (unsigned i = 0; i < threads; ++i) all.push_back(std::make_unique<MultiBuffer>());
}

}  // namespace missive::verify
