#pragma once
// The cache's key-value store for tags: small values that an application's launcher keeps there
// (docs/cache-protocol.md, put_tag). In memory, and in the file `tags` of the store's directory, to
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
  // Throws InputError for a value of more than kMaxTagBytes, RunError when the disk is full. The
  // tag put longest ago goes when there would be more than kMaxTags.
  void put(const zar::Digest& key, std::span<const std::byte> value);
  std::size_t size() const;

  Snapshot snapshot() const;
  void restore(const Snapshot& snapshot);

 private:
  void load();
  void drop_oldest_beyond_limit();
  void compact();
  void append(const zar::Digest& key, std::span<const std::byte> value);

  int directory_;
  std::string where_;
  mutable std::mutex mutex_;  // guards all below
  UniqueFd file_;
  Snapshot tags_;
  std::uint64_t next_age_ = 0;
  std::uint64_t file_bytes_ = 0;
};

}  // namespace missive::cache
