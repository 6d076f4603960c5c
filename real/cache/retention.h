#pragma once
// What stays in the store when its limit is reached: remembers how images are used, and drops what
// is worth least (eviction.h). What it remembers is gone when the cache ends; then everything
// counts as never used, until it is.
//
// Safe for several threads. Memory while room is made: 32 bytes for each block of each image held,
// and about 100 for each content of the store.

#include <condition_variable>
#include <deque>
#include <mutex>
#include <span>
#include <unordered_map>

#include "real/cache/counters.h"
#include "real/cache/eviction.h"
#include "real/cache/store.h"

namespace missive::cache {

class Retention {
 public:
  // Without a policy nothing is ever dropped. All must outlive this.
  Retention(Store& store, const EvictionPolicy* policy, std::uint64_t limit, Counters& counters)
      : store_(store), policy_(policy), limit_(limit), counters_(counters) {}

  // The image was asked for: counts as one use.
  void used(const zar::Digest& image);
  // Its contents may not go until release(): it is being fetched or assembled. Counted. Who needs
  // room to come to its end says so: the others' pins go by themselves.
  enum class Needs { nothing, room };
  void pin(const zar::Digest& image, Needs needs);
  void release(const zar::Digest& image, Needs needs);
  // It was fetched, and is expected to be assembled soon: its contents go only when nothing else
  // can. At most 16 images; assembled() or the 17th ends it.
  void expect_assembly(const zar::Digest& image);
  void assembled(const zar::Digest& image);

  // Frees at least `bytes` and a sixteenth of the limit, or as much as may go. Returns whether
  // anything became free. Throws RunError. What is put meanwhile does not go.
  bool make_room(std::uint64_t bytes);
  // Pins of who needs nothing that were released so far.
  std::uint64_t releases() const;
  // When make_room() freed nothing: waits until one more than `before` was released. Returns false
  // when there is none to wait for, or none was within five seconds.
  bool await_release(std::uint64_t before);
  // Returns when no pass of make_room() is under way that began before this call. Such a one may
  // drop blocks of an image that was pinned before but whose recipe came during the pass: which
  // blocks that image lacks is known only now.
  void await_pass() { const std::lock_guard lock(mutex_); }

 private:
  bool is_pinned(const zar::Digest& image) const;
  std::uint64_t evict(std::uint64_t wanted);

  Store& store_;
  const EvictionPolicy* policy_;
  std::uint64_t limit_;
  Counters& counters_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable released_;
  std::uint64_t passing_ = 0, releases_ = 0;  // pins of who needs nothing: held, and released
  std::unordered_map<zar::Digest, ImageUse> uses_;
  std::unordered_map<zar::Digest, int> pins_;
  std::deque<zar::Digest> expected_;
  std::uint64_t use_number_ = 0;
  double clock_ = 0;
};

// A pin, for as long as it lives.
class Pinned {
 public:
  Pinned(Retention& retention, const zar::Digest& image,
         Retention::Needs needs = Retention::Needs::nothing)
      : retention_(retention), image_(image), needs_(needs) {
    retention_.pin(image_, needs_);
  }
  Pinned(const Pinned&) = delete;
  Pinned& operator=(const Pinned&) = delete;
  ~Pinned() { retention_.release(image_, needs_); }

 private:
  Retention& retention_;
  zar::Digest image_;
  Retention::Needs needs_;
};

// What gc does to a store at rest: drops blocks of no image, and what is worth least until at most
// `limit` bytes are left (0: no limit); then moves the rest together.
struct Collected {
  std::uint64_t unreferenced_blocks = 0, evicted = 0;
  std::uint64_t bytes_before = 0, bytes_after = 0;  // of both files
};
Collected collect_garbage(Store& store, std::uint64_t limit, const EvictionPolicy& policy);

}  // namespace missive::cache
