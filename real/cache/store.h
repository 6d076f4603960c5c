#pragma once
// The cache's content-addressed store on disk: blocks and recipes, each written once.
//
// Three files in one directory:
//   blocks        contents, one after the other, nothing in between
//   blocks.index  a head, then 56-byte records in the order of `blocks`: digest, offset, length,
//                 kind, CRC-32 of the record (layout in store.cpp)
//   tags          see tag_store.h
//
// An index record is written only after the content it names. What survives:
//   - exit and kill -9: everything that put() returned from. Both writes are in the page cache
//     then. A record or content that was being written is cut off at the next open.
//   - a power cut: nothing is promised, since nothing is synced. The head holds the kernel's boot
//     id (random(4)); the first open after a boot hashes everything and cuts the store off at the
//     first content that is not what its name says.
// A store can always lose its end: the origin has it too.
//
// put() does not hash. The digest of a block is checked once, by origin::Client, on arrival; and
// whoever uses an image verifies all of it, since the whole cache is untrusted.
//
// Safe for several threads, except rewind(). One process at a time: the index is locked (flock(2)).

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "real/fd.h"
#include "real/zar/digest.h"

namespace missive::cache {

// The names of all files of a store, for whoever hands the directory to another user.
inline constexpr const char* kStoreFiles[] = {"blocks", "blocks.index", "tags", "tags.new"};

// Opens a store's directory, made if it is missing (mode 0700). Throws RunError.
UniqueFd open_store_directory(const std::filesystem::path& directory);

class Store {
 public:
  struct Options {
    std::uint64_t disk_limit = 0;  // bytes of both files together; 0: none but the disk's own
  };
  struct Stats {
    std::uint64_t blocks = 0, recipes = 0;
    std::uint64_t data_bytes = 0, index_bytes = 0;
    std::uint64_t dropped_bytes = 0;  // cut off when it was opened, of both files
  };
  // A state to come back to.
  struct Mark {
    std::uint64_t data_bytes = 0, index_bytes = 0;
  };

  // Throws RunError: not accessible, in use by another process, or not a store of this version.
  Store(const std::filesystem::path& directory, const Options& options);
  // The same below an open directory; `where` names it in messages.
  Store(int directory, const std::string& where, const Options& options);

  bool contains(const zar::Digest& block) const;
  // Keeps a block, unless it is there already. Throws RunError when the limit is reached or the
  // disk is full; the store is then as it was before.
  void put(const zar::Digest& block, std::span<const std::byte> bytes);
  // Appends the block at the file offset of `to`. With sendfile(2): of the ways to fill a memfd
  // from the page cache it is among the two fastest (cache_bench.cpp), and unlike a mapping of the
  // store it cannot end in SIGBUS. Throws RunError: no such block, not of `length` bytes, no
  // memory.
  void append_to(int to, const zar::Digest& block, std::uint32_t length) const;

  std::optional<std::vector<std::byte>> recipe(const zar::Digest& image) const;
  bool contains_recipe(const zar::Digest& image) const;
  void put_recipe(const zar::Digest& image, std::span<const std::byte> wire);

  Stats stats() const;
  Mark mark() const;
  // Forgets all that was put since `mark`, on disk too: how a cache's temperature is set back
  // between two repetitions. Throws InputError for a mark that lies beyond the store's end.
  void rewind(const Mark& mark);

 private:
  enum class Kind : std::uint32_t { block = 1, recipe = 2 };
  struct Location {
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
  };
  struct Record;
  using Table = std::unordered_map<zar::Digest, Location>;

  void open(int directory);
  void load();
  void scrub();
  bool is_intact(const Record& record) const;
  void cut_off(const Mark& at);
  void add(Kind kind, const zar::Digest& name, std::span<const std::byte> bytes);
  std::optional<Location> find(const Table& table, const zar::Digest& name) const;
  Table& table(Kind kind) { return kind == Kind::block ? blocks_ : recipes_; }

  std::string where_;
  Options options_;
  UniqueFd data_, index_;
  mutable std::mutex mutex_;  // guards all below
  Table blocks_, recipes_;
  Mark end_;
  std::uint64_t dropped_bytes_ = 0;
};

}  // namespace missive::cache
