#include "real/verify/block_verifier.h"

#include <algorithm>
#include <array>
#include <bit>
#include <stdexcept>

#include <openssl/crypto.h>

#include "models/error.h"
#include "real/verify/bound_context.h"
#include "real/verify/multi_buffer.h"
#include "real/zar/recipe.h"

namespace missive::verify {

namespace {

constexpr std::uint64_t kBits = 64;
// Blocks checked in one go: as many digests fit on the stack. Of each run, GMAC waits for the first
// two from memory: with 32 a run 100 MiB took 0.2 ms longer (4.6; AMD Zen 5).
constexpr std::uint64_t kRun = 128;
// Fewer messages than this leave most lanes of a multi-buffer hash empty, and the plain one is
// quicker (docs/verification.md, "short").
constexpr std::uint64_t kMany = 4;

void check_expected(std::span<const std::byte> image, const Expected& expected) {
  zar::check(expected.shape, "expected image of " + expected.application);
  if (expected.shape.units != zar::UnitKind::blocks)
    throw RunError("image of " + expected.application +
                   ": is not cut into blocks; verify it as a whole");
  if (image.size() != expected.shape.length)
    throw RunError("image of " + expected.application + ": " + std::to_string(image.size()) +
                   " bytes where the vendor signed " + std::to_string(expected.shape.length) +
                   "; drop it from the cache and fetch it again");
}

}  // namespace

// One engine serves one thread at a time.
class BlockVerifier::Lease {
 public:
  Lease(BlockVerifier& owner, Pool& pool) : owner_(owner), pool_(pool) {
    {
      const std::lock_guard lock(owner_.pools_mutex_);
      if (!pool_.idle.empty()) {
        engine_ = std::move(pool_.idle.back());
        pool_.idle.pop_back();
      }
    }
    if (!engine_) engine_ = pool_.algorithm->make(owner_.key_);
  }
  ~Lease() {
    const std::lock_guard lock(owner_.pools_mutex_);
    pool_.idle.push_back(std::move(engine_));
  }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  Engine& engine() { return *engine_; }

 private:
  BlockVerifier& owner_;
  Pool& pool_;
  std::unique_ptr<Engine> engine_;
};

BlockVerifier::BlockVerifier(std::span<const std::byte> image, const Expected& expected,
                             const Algorithm& many, const Algorithm& few, const EngineKey& key)
    : image_(image),
      block_size_(expected.shape.block_size),
      subject_("image of " + expected.application + " version " + std::to_string(expected.version)),
      keyed_(many.keyed()),
      accepted_((expected.shape.blocks() + kBits - 1) / kBits),
      key_(key),
      many_{&many, {}},
      few_{&few, {}} {}

std::unique_ptr<BlockVerifier> BlockVerifier::by_tags(std::span<const std::byte> image,
                                                      const Expected& expected,
                                                      const ApplicationSecret& secret,
                                                      const TagRecord& record) {
  check_expected(image, expected);
  const std::vector<GmacTag> tags = open_block_tags(record, expected, secret);
  const MacKey key = block_mac_key(secret, bound_context(expected));
  const Algorithm& gmac = algorithm(preferred_gmac(cpu_features()));
  std::unique_ptr<BlockVerifier> made(new BlockVerifier(image, expected, gmac, gmac, key.bytes));
  const auto bytes = std::as_bytes(std::span(tags));
  made->digests_.assign(bytes.begin(), bytes.end());
  return made;
}

std::unique_ptr<BlockVerifier> BlockVerifier::by_tree(std::span<const std::byte> image,
                                                      const Expected& expected,
                                                      std::span<const std::byte> recipe) {
  check_expected(image, expected);
  zar::Recipe parsed;
  try {
    parsed = zar::Recipe::parse(recipe, "recipe of " + expected.application);
  } catch (const InputError& e) {  // from the cache, so a failed launch, not a bad flag
    throw RunError(e.what());
  }
  if (parsed.shape != expected.shape || parsed.name() != expected.name)
    throw RunError("recipe of " + expected.application + " version " +
                   std::to_string(expected.version) + " is not that of the signed image " +
                   zar::to_hex(expected.name));
  std::unique_ptr<BlockVerifier> made(new BlockVerifier(image, expected,
                                                        algorithm(preferred_sha256(cpu_features())),
                                                        algorithm("sha256"), EngineKey{}));
  const auto bytes = std::as_bytes(std::span(parsed.leaves));
  made->digests_.assign(bytes.begin(), bytes.end());
  return made;
}

bool BlockVerifier::accepted(std::uint64_t block) const {
  return (accepted_[block / kBits].load(std::memory_order_acquire) >> (block % kBits) & 1) != 0;
}

void BlockVerifier::require(std::uint64_t offset, std::uint64_t length) {
  if (offset > image_.size() || length > image_.size() - offset)
    throw std::out_of_range("BlockVerifier: beyond the image");
  if (length == 0) return;
  const std::uint64_t end = (offset + length - 1) / block_size_ + 1;
  for (std::uint64_t block = offset / block_size_; block < end;) {
    if (accepted(block)) {
      ++block;
      continue;
    }
    std::uint64_t to = block + 1;
    while (to < end && to - block < kRun && !accepted(to)) ++to;
    check(block, to - block);
    block = to;
  }
}

void BlockVerifier::check(std::uint64_t first, std::uint64_t count) {
  if (failed_.load(std::memory_order_acquire)) throw RunError(failure());
  Lease lease(*this, count >= kMany ? many_ : few_);
  const std::size_t size = lease.engine().digest_bytes();
  std::array<std::byte, kRun * 32> found;  // as far as needed
  lease.engine().digest_blocks(image_.subspan(first * block_size_, count * block_size_),
                               block_size_, first, std::span(found).first(count * size));
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint64_t block = first + i;
    if (CRYPTO_memcmp(found.data() + i * size, digests_.data() + block * size, size) != 0)
      refuse(block);
    accepted_[block / kBits].fetch_or(std::uint64_t{1} << (block % kBits),
                                      std::memory_order_release);
  }
}

void BlockVerifier::refuse(std::uint64_t block) {
  const std::lock_guard lock(failure_mutex_);
  if (failure_.empty()) {
    failure_ = subject_ + ": block " + std::to_string(block) + " of " +
               std::to_string(image_.size() / block_size_) +
               " is not the one its vendor signed; drop it from the cache and fetch it again";
    failed_.store(true, std::memory_order_release);
    if (on_failure_) on_failure_();
  }
  throw RunError(failure_);
}

void BlockVerifier::on_failure(std::function<void()> call) {
  const std::lock_guard lock(failure_mutex_);
  on_failure_ = std::move(call);
}

std::string BlockVerifier::failure() const {
  const std::lock_guard lock(failure_mutex_);
  return failure_;
}

std::uint64_t BlockVerifier::accepted_blocks() const {
  std::uint64_t blocks = 0;
  for (const auto& word : accepted_)
    blocks += static_cast<std::uint64_t>(std::popcount(word.load(std::memory_order_acquire)));
  return blocks;
}

bool BlockVerifier::accepted(std::uint64_t offset, std::uint64_t length) const {
  const std::uint64_t end = (offset + length - 1) / block_size_ + 1;
  for (std::uint64_t block = offset / block_size_; block < end; ++block)
    if (!accepted(block)) return false;
  return true;
}

bool BlockVerifier::all_accepted() const {
  const std::uint64_t blocks = image_.size() / block_size_;
  for (std::size_t i = 0; i < accepted_.size(); ++i) {
    const std::uint64_t here = std::min(blocks - i * kBits, kBits);
    const std::uint64_t full = here == kBits ? ~std::uint64_t{0} : (std::uint64_t{1} << here) - 1;
    if (accepted_[i].load(std::memory_order_acquire) != full) return false;
  }
  return true;
}

Work BlockVerifier::work() const {
  const std::uint64_t blocks = accepted_blocks();
  Work work;
  if (keyed_) {
    work.bytes_authenticated = blocks * block_size_;
  } else {
    work.bytes_hashed = blocks * block_size_;
    work.blocks_hashed = blocks;
  }
  return work;
}

}  // namespace missive::verify
