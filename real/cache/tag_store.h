#pragma once
// The cache's key-value store for tags: small values that an application's launcher keeps there,
// and records of block tags, whose length goes with their image's (docs/cache-protocol.md, put_tag,
// put_block_tags). In memory, and in the file `tags` of the store's directory, to
// which each change is appended; rewritten once it holds more dead records than live ones.
//
// Survives exit and kill -9 like the block store; a record that fails its checksum ends the file.
// A tag is a MAC made by the launcher, so a wrong one is noticed there. Safe for several threads.

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "real/fd.h"
#include "real/zar/digest.h"

namespace missive::cache {

inline constexpr std::size_t kMaxTagBytes = 4096;
inline constexpr std::size_t kMaxTags = 1024;
// Of all keys and values together.
inline constexpr std::uint64_t kMaxTagStoreBytes = std::uint64_t{64} << 20;

// The longest record of block tags that an image of so many blocks may have: 128 bits a block and
// some more; never beyond a quarter of the store.
constexpr std::uint64_t most_block_tag_bytes(std::uint64_t blocks) {
  constexpr std::uint64_t kHeads = 4096, kMost = kMaxTagStoreBytes / 4;
  return blocks > (kMost - kHeads) / 16 ? kMost : kHeads + 16 * blocks;
}
// Where an image's block tags lie, apart from the keys that launchers choose.
zar::Digest block_tags_key(const zar::Digest& image);

class TagStore {
 public:
  using Value = std::vector<std::byte>;
  struct Entry {
    Value value;
    std::uint64_t age = 0;  // grows with every put
  };
  using Snapshot = std::unordered_map<zar::Digest, Entry>;

  // `directory` is an open directory that must outlive this; `where` names it in messages.
  TagStore(int directory, const std::string& where);

  std::optional<Value> get(const zar::Digest& key) const;
  // Of the value; 0 when there is none.
  std::size_t length(const zar::Digest& key) const;
  // Throws InputError for a value of more than `limit` bytes, RunError when the disk is full. The
  // tags put longest ago go when there would be more than kMaxTags or kMaxTagStoreBytes.
  void put(const zar::Digest& key, std::span<const std::byte> value,
           std::uint64_t limit = kMaxTagBytes);
  std::size_t size() const;

  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);

 private:
  void load();
  void keep(const zar::Digest& key, Value value);
  void drop_oldest_beyond_limits();
  void compact();
  void append(const zar::Digest& key, std::span<const std::byte> value);

  int directory_;
  std::string where_;
  mutable std::mutex mutex_;  // guards all below
  UniqueFd file_;
  Snapshot tags_;
  std::uint64_t next_age_ = 0;
  std::uint64_t live_bytes_ = 0;  // of tags_, with heads
  std::uint64_t file_bytes_ = 0;
};

}  // namespace missive::cache
