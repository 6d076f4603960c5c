#pragma once
// The cache's content-addressed store on disk: blocks and recipes, each kept once.
//
// Files in one directory:
//   blocks        contents; where one was dropped, there is a hole that a later one may fill
//   blocks.index  a log of what was put and dropped (index_record.h), rewritten into
//                 blocks.index.new once most of its records are of contents that are gone
//   tags          see tag_store.h
//
// A put is written content first, then record; a drop is one record, and only then may its bytes be
// used again. What survives:
//   - exit and kill -9: everything that put() returned from. Both writes are in the page cache
//     then. A record or content that was being written is cut off at the next open.
//   - a power cut: everything that sync() returned from after it was put. The head holds the
//     kernel's boot id; the first open after a boot hashes everything and drops what is not what
//     its name says. Without sync() a store can lose its end: the origin has it too.
//
// put() does not hash. The digest of a block is checked once, by origin::Client, on arrival; and
// whoever uses an image verifies all of it, since the whole cache is untrusted.
//
// Safe for several threads, except rewind() and compact(). One process at a time: the index is
// locked (flock(2)).

#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "real/cache/free_space.h"
#include "real/cache/index_record.h"
#include "real/fd.h"
#include "real/zar/digest.h"

namespace missive::cache {

// The names of all files of a store, for whoever hands the directory to another user.
inline constexpr const char* kStoreFiles[] = {"blocks", "blocks.index", "tags", "tags.new",
                                              "blocks.index.new"};

// Opens a store's directory, made if it is missing (mode 0700). Throws RunError.
UniqueFd open_store_directory(const std::filesystem::path& directory);

class Store {
 public:
  struct Options {
    // Bytes of `blocks` and `blocks.index` together; 0: none but the disk's own. The index takes
    // its own size once more while it is rewritten.
    std::uint64_t disk_limit = 0;
  };
  struct Stats {
    std::uint64_t blocks = 0, recipes = 0;
    std::uint64_t data_bytes = 0, index_bytes = 0;  // sizes of the two files
    std::uint64_t free_bytes = 0;                   // holes in `blocks`
    std::uint64_t dropped_bytes = 0;  // cut off or dropped as damaged when it was opened
    std::uint64_t unsynced = 0;       // contents put since the last sync() began
  };
  // A state to come back to.
  struct Mark {
    std::uint64_t data_bytes = 0, index_bytes = 0, rewrites = 0;
  };
  struct Held {
    Content content;
    std::uint32_t length = 0;
  };

  // Throws RunError: not accessible, in use by another process, or not a store of this version.
  Store(const std::filesystem::path& directory, const Options& options);
  // The same below an open directory, which must outlive this; `where` names it in messages.
  Store(int directory, const std::string& where, const Options& options);

  bool contains(const zar::Digest& block) const;
  // Keeps a block, unless it is there already. Throws NoRoom when the limit is reached or the disk
  // is full, RunError for other trouble; the store is then as it was before.
  void put(const zar::Digest& block, std::span<const std::byte> bytes);
  // Appends the block at the file offset of `to`. With sendfile(2): of the ways to fill a memfd
  // from the page cache it is among the two fastest (cache_bench.cpp), and unlike a mapping of the
  // store it cannot end in SIGBUS. Throws RunError: no such block, not of `length` bytes, no
  // memory.
  void append_to(int to, const zar::Digest& block, std::uint32_t length) const;

  std::optional<std::vector<std::byte>> recipe(const zar::Digest& image) const;
  // In bytes; nothing when it is not there.
  std::optional<std::uint64_t> recipe_length(const zar::Digest& image) const;
  bool contains_recipe(const zar::Digest& image) const;
  void put_recipe(const zar::Digest& image, std::span<const std::byte> wire);

  // Forgets contents; those it does not hold are passed over. Their bytes are free afterwards.
  // Works on a full disk too. Waits for copies under way.
  void drop(std::span<const Content> contents);
  // Returns once all that was put is on the disk itself; at once when that is known.
  void sync() const;
  // Moves contents into holes, so that both files are as small as they can be. Crash-safe; not
  // beside other calls. Returns the bytes given back to the disk.
  std::uint64_t compact();

  std::vector<Held> held() const;
  std::uint64_t disk_limit() const { return options_.disk_limit; }
  Stats stats() const;
  Mark mark() const;
  // Forgets all that was put since `mark`, on disk too: how a cache's temperature is set back
  // between two repetitions. Throws InputError for a mark that lies beyond the store's end, or
  // when something was dropped since.
  void rewind(const Mark& mark);

 private:
  struct Location {
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
  };
  using Table = std::unordered_map<zar::Digest, Location>;

  void open(int directory);
  void lock_index(int directory);
  void load();
  void settle();
  void scrub();
  bool is_intact(const Content& content, const Location& at) const;
  void add(ContentKind kind, const zar::Digest& name, std::span<const std::byte> bytes);
  void require_room_for(std::uint64_t data_end);
  void log(std::span<const std::byte> records);
  void drop_locked(std::span<const Content> contents);
  std::uint64_t cut_data_end();
  bool log_is_too_long() const;
  void rewrite_index();
  std::optional<Location> find(const Content& content) const;
  template <typename Function>
  void for_each(Function&& function) const {
    for (const auto& [name, at] : blocks_) function(Content{ContentKind::block, name}, at);
    for (const auto& [name, at] : recipes_) function(Content{ContentKind::recipe, name}, at);
  }
  Table& table(ContentKind kind) { return kind == ContentKind::block ? blocks_ : recipes_; }
  const Table& table(ContentKind kind) const {
    return kind == ContentKind::block ? blocks_ : recipes_;
  }

  std::string where_;
  Options options_;
  int directory_ = -1;
  UniqueFd own_directory_;  // when the store opened it
  UniqueFd data_;
  // Held shared while bytes are copied out, whole while some become free: nobody reads what is
  // being written over. Taken before mutex_.
  mutable std::shared_mutex copying_;
  mutable std::mutex mutex_;  // guards all below
  UniqueFd index_;
  Table blocks_, recipes_;
  FreeSpace free_;
  Mark end_;
  std::uint64_t last_drop_at_ = 0;    // offset behind the last record of a drop
  std::uint64_t reserved_until_ = 0;  // in the index
  std::uint64_t dropped_bytes_ = 0;
  // Contents put, and how many of them are known to be on the disk itself. What an earlier process
  // put counts as one that is not.
  std::uint64_t puts_ = 1;
  mutable std::uint64_t synced_ = 0;
};

}  // namespace missive::cache
