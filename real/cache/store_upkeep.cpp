// Store: what is done seldom. Contents dropped, hashed, moved together; the index rewritten.

#include <algorithm>
#include <functional>

#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "real/cache/content_check.h"
#include "real/cache/disk.h"
#include "real/cache/store.h"

namespace missive::cache {
namespace {

constexpr std::size_t kDropsAtOnce = 128;  // their records fit into the index's reserve
// The index is rewritten when so many more records are dead than alive.
constexpr std::uint64_t kDeadSlack = 64;

}  // namespace

void Store::drop(std::span<const Content> contents) {
  const std::unique_lock copying(copying_);
  const std::lock_guard lock(mutex_);
  while (!contents.empty()) {
    const auto some = contents.first(std::min(contents.size(), kDropsAtOnce));
    drop_locked(some);
    contents = contents.subspan(some.size());
  }
  if (!log_is_too_long()) return;
  try {
    rewrite_index();
  } catch (const NoRoom&) {  // the log as it is will do
    ::unlinkat(directory_, kStoreFiles[4], 0);
  }
}

// Mostly dead records, or dead ones that are over the limit.
bool Store::log_is_too_long() const {
  const std::uint64_t alive = blocks_.size() + recipes_.size();
  const std::uint64_t records = (end_.index_bytes - IndexHead::kBytes) / IndexRecord::kBytes;
  const bool over =
      options_.disk_limit != 0 && end_.data_bytes + end_.index_bytes > options_.disk_limit;
  return records > 2 * alive + kDeadSlack || (over && records > alive);
}

void Store::drop_locked(std::span<const Content> contents) {
  std::vector<std::byte> records;
  for (const Content& content : contents) {
    if (!table(content.kind).contains(content.name)) continue;
    const auto record = IndexRecord{content, true, 0, 0}.encode();
    records.insert(records.end(), record.begin(), record.end());
  }
  if (records.empty()) return;
  log(records);
  last_drop_at_ = end_.index_bytes;
  for (const Content& content : contents) {
    const auto found = table(content.kind).find(content.name);
    if (found == table(content.kind).end()) continue;
    free_.give(found->second.offset, found->second.length);
    table(content.kind).erase(found);
  }
  cut_data_end();
}

// Returns how many bytes `blocks` got shorter.
std::uint64_t Store::cut_data_end() {
  const std::uint64_t end = free_.cut_end(end_.data_bytes), cut = end_.data_bytes - end;
  if (cut != 0) truncate(data_.get(), end, where_);
  end_.data_bytes = end;
  return cut;
}

bool Store::is_intact(const Content& content, const Location& at) const {
  std::vector<std::byte> bytes(at.length);
  return read_at(data_.get(), bytes, at.offset, where_) && is_what_it_says(content, bytes);
}

void Store::scrub() {
  std::vector<Content> damaged;
  for_each([&](const Content& content, const Location& at) {
    if (is_intact(content, at)) return;
    damaged.push_back(content);
    dropped_bytes_ += at.length;
  });
  drop(damaged);
  sync();  // what is intact now is known to be so once the head says it
}

void Store::sync() const {
  std::uint64_t puts = 0;
  {
    const std::lock_guard lock(mutex_);
    puts = puts_;
    if (puts == synced_) return;
  }
  // Data first: a record on the disk whose content is not would be dropped after a power cut.
  cache::sync(data_.get(), where_);
  const std::lock_guard lock(mutex_);
  cache::sync(index_.get(), where_);
  synced_ = std::max(synced_, puts);
}

// The new file is whole and on the disk before it takes the old one's name (rename(2) does that in
// one step), and is locked before anybody can open it by that name.
void Store::rewrite_index() {
  UniqueFd fresh = open_file(directory_, kStoreFiles[4], where_);
  if (::flock(fresh.get(), LOCK_EX | LOCK_NB) != 0) {
    throw RunError(where_ + ": its new index is locked by another process");
  }
  truncate(fresh.get(), 0, where_);
  const auto head = IndexHead::of_this_boot(end_.rewrites + 1).encode();
  std::vector<std::byte> bytes(head.begin(), head.end());
  bytes.reserve(bytes.size() + (blocks_.size() + recipes_.size()) * IndexRecord::kBytes);
  const auto append = [&](ContentKind kind) {
    for (const auto& [name, at] : table(kind)) {
      const auto record = IndexRecord{{kind, name}, false, at.offset, at.length}.encode();
      bytes.insert(bytes.end(), record.begin(), record.end());
    }
  };
  append(ContentKind::block);
  append(ContentKind::recipe);
  write_at(fresh.get(), bytes, 0, where_);
  cache::sync(data_.get(), where_);
  cache::sync(fresh.get(), where_);
  if (::renameat(directory_, kStoreFiles[4], directory_, kStoreFiles[1]) != 0) {
    throw_errno(where_ + ": cannot replace the index");
  }
  if (::fsync(directory_) != 0) throw_errno(where_ + ": cannot write to the disk");
  index_ = std::move(fresh);
  end_.index_bytes = bytes.size();
  end_.rewrites += 1;
  last_drop_at_ = 0;
  reserved_until_ = 0;
}

std::uint64_t Store::compact() {
  const std::unique_lock copying(copying_);
  const std::lock_guard lock(mutex_);
  const std::uint64_t before = end_.data_bytes + end_.index_bytes;
  std::vector<std::pair<Location, Content>> by_offset;
  for (const ContentKind kind : {ContentKind::block, ContentKind::recipe})
    for (const auto& [name, at] : table(kind)) by_offset.push_back({at, {kind, name}});
  std::ranges::sort(by_offset, std::greater{},
                    [](const auto& entry) { return entry.first.offset; });

  // From the end, into the lowest hole that is long enough. What is left behind lies above all that
  // follow, so nothing is written over before the index says where everything is.
  std::vector<Location> left;
  std::vector<std::byte> bytes, records;
  for (const auto& [at, content] : by_offset) {
    const auto hole = free_.take(at.length);
    if (!hole) continue;
    if (*hole > at.offset) {
      free_.give(*hole, at.length);
      continue;
    }
    bytes.resize(at.length);
    if (!read_at(data_.get(), bytes, at.offset, where_)) {
      throw RunError(where_ + ": ends before a content that its index names");
    }
    write_at(data_.get(), bytes, *hole, where_);
    const auto record = IndexRecord{content, false, *hole, at.length}.encode();
    records.insert(records.end(), record.begin(), record.end());
    table(content.kind)[content.name].offset = *hole;
    left.push_back(at);
  }
  cache::sync(data_.get(), where_);
  log(records);
  cache::sync(index_.get(), where_);
  for (const Location& at : left) free_.give(at.offset, at.length);
  cut_data_end();
  rewrite_index();
  const std::uint64_t after = end_.data_bytes + end_.index_bytes;
  return before > after ? before - after : 0;
}

}  // namespace missive::cache
