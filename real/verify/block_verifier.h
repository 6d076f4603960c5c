#pragma once
// Lazy verification: a block of an image is checked when it is first needed, and remembered. Until
// then nobody gets to see it.
//
// The memory must be such that nobody can change it any more (a sealed memory file, or the
// launcher's own): then what was accepted once stays right, and looking again costs a bit in a
// bitmap. Safe for many threads; two that need the same block at the same moment may both check it,
// and it counts once.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "real/verify/algorithm.h"
#include "real/verify/block_tags.h"
#include "real/verify/keychain.h"
#include "real/verify/verifier.h"

namespace missive::verify {

class BlockVerifier {
 public:
  // Each block against its tag. `image` must outlive the verifier. Throws RunError: wrong length,
  // or open_block_tags() refuses the record.
  static std::unique_ptr<BlockVerifier> by_tags(std::span<const std::byte> image,
                                                const Expected& expected,
                                                const ApplicationSecret& secret,
                                                const TagRecord& record);
  // Each block against its leaf of the Merkle tree. The recipe is checked first: its leaves must
  // give the signed name. Throws RunError when they do not, or when it cannot be read.
  static std::unique_ptr<BlockVerifier> by_tree(std::span<const std::byte> image,
                                                const Expected& expected,
                                                std::span<const std::byte> recipe);

  // Returns once every block that [offset, offset + length) touches is known to be the vendor's.
  // Throws RunError, naming the block, when one is not, and from then on for every block that was
  // not accepted before. std::out_of_range beyond the image.
  void require(std::uint64_t offset, std::uint64_t length);
  bool accepted(std::uint64_t block) const;
  // Of every block that [offset, offset + length) touches; `length` is not 0.
  bool accepted(std::uint64_t offset, std::uint64_t length) const;
  std::uint64_t accepted_blocks() const;
  bool all_accepted() const;

  // Called once, by the thread that finds the first wrong block, before anybody gets an error.
  // Empty: nobody is told. On return no call of the function before is under way.
  void on_failure(std::function<void()> call);
  // Why a block was refused; empty as long as none was.
  std::string failure() const;

  // What was run over the blocks accepted so far.
  Work work() const;

 private:
  BlockVerifier(std::span<const std::byte> image, const Expected& expected, const Algorithm& many,
                const Algorithm& few, const EngineKey& key);
  class Lease;  // an engine for as long as one thread needs it
  void check(std::uint64_t first, std::uint64_t count);
  [[noreturn]] void refuse(std::uint64_t block);

  const std::span<const std::byte> image_;
  const std::uint64_t block_size_;
  const std::string subject_;
  const bool keyed_;
  std::vector<std::byte> digests_;  // of all blocks, one after the other
  std::vector<std::atomic<std::uint64_t>> accepted_;

  struct Pool {
    const Algorithm* algorithm;
    std::vector<std::unique_ptr<Engine>> idle;
  };
  EngineKey key_;
  std::mutex pools_mutex_;  // guards idle engines
  Pool many_, few_;         // for a run of blocks, for one or two

  mutable std::mutex failure_mutex_;  // guards the two below
  std::string failure_;
  std::function<void()> on_failure_;
  std::atomic<bool> failed_{false};
};

}  // namespace missive::verify
