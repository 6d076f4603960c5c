#include "real/cache/tag_store.h"

#include <algorithm>
#include <cstring>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/disk.h"
#include "real/cache/little_endian.h"
#include "real/cache/store.h"

namespace missive::cache {
namespace {

// A record: key (32 bytes), length of the value (u32), CRC-32 of key, length and value (u32),
// value.
constexpr std::size_t kHeadBytes = 40;
constexpr std::uint64_t kSlack = 1024 * 1024;
constexpr const char* kNewFile = kStoreFiles[3];

std::vector<std::byte> encode(const zar::Digest& key, std::span<const std::byte> value) {
  std::vector<std::byte> out(key.bytes.begin(), key.bytes.end());
  append_le(out, static_cast<std::uint32_t>(value.size()));
  append_le(out, std::uint32_t{0});
  out.insert(out.end(), value.begin(), value.end());
  store_le(out.data() + 36, crc32_of(out));  // over a zero in its own place
  return out;
}

}  // namespace

zar::Digest block_tags_key(const zar::Digest& image) {
  constexpr std::string_view kLabel = "missive-sim/block-tags/1";
  std::vector<std::byte> name(kLabel.size());
  std::memcpy(name.data(), kLabel.data(), kLabel.size());
  name.insert(name.end(), image.bytes.begin(), image.bytes.end());
  return zar::sha256(name);
}

TagStore::TagStore(int directory, const std::string& where)
    : directory_(directory), where_("tag store " + where) {
  file_ = open_file(directory, kStoreFiles[2], where_);
  load();
}

void TagStore::load() {
  const std::uint64_t size = size_of(file_.get(), where_);
  std::vector<std::byte> record;
  while (file_bytes_ + kHeadBytes <= size) {
    record.resize(kHeadBytes);
    if (!read_at(file_.get(), record, file_bytes_, where_)) break;
    const auto length = load_le<std::uint32_t>(record.data() + 32);
    // Before memory is taken for it; the checksum then tells whether it is a record.
    if (length > kMaxTagStoreBytes || length > size - file_bytes_ - kHeadBytes) break;
    record.resize(kHeadBytes + length);
    if (!read_at(file_.get(), record, file_bytes_, where_)) break;
    const auto checksum = load_le<std::uint32_t>(record.data() + 36);
    store_le(record.data() + 36, std::uint32_t{0});
    if (crc32_of(record) != checksum) break;
    zar::Digest key;
    std::memcpy(key.bytes.data(), record.data(), key.bytes.size());
    keep(key, Value(record.begin() + kHeadBytes, record.end()));
    file_bytes_ += record.size();
  }
  if (file_bytes_ != size) truncate(file_.get(), file_bytes_, where_);
}

std::optional<TagStore::Value> TagStore::get(const zar::Digest& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = tags_.find(key);
  if (found == tags_.end()) return std::nullopt;
  return found->second.value;
}

std::size_t TagStore::length(const zar::Digest& key) const {
  const std::lock_guard lock(mutex_);
  const auto found = tags_.find(key);
  return found == tags_.end() ? 0 : found->second.value.size();
}

void TagStore::append(const zar::Digest& key, std::span<const std::byte> value) {
  const auto record = encode(key, value);
  try {
    write_at(file_.get(), record, file_bytes_, where_);
  } catch (...) {
    truncate(file_.get(), file_bytes_, where_);
    throw;
  }
  file_bytes_ += record.size();
}

void TagStore::put(const zar::Digest& key, std::span<const std::byte> value, std::uint64_t limit) {
  if (value.size() > limit) {
    throw InputError("tag of " + std::to_string(value.size()) + " bytes: at most " +
                     std::to_string(limit));
  }
  const std::lock_guard lock(mutex_);
  const auto found = tags_.find(key);
  if (found != tags_.end() && std::ranges::equal(found->second.value, value)) return;
  append(key, value);
  keep(key, Value(value.begin(), value.end()));
  if (file_bytes_ > 2 * live_bytes_ + kSlack) compact();
}

void TagStore::keep(const zar::Digest& key, Value value) {
  const auto before = tags_.find(key);
  if (before != tags_.end()) live_bytes_ -= kHeadBytes + before->second.value.size();
  live_bytes_ += kHeadBytes + value.size();
  tags_[key] = {std::move(value), next_age_++};
  drop_oldest_beyond_limits();
}

// Not noted in the file: load() comes to the same choice.
void TagStore::drop_oldest_beyond_limits() {
  while (tags_.size() > kMaxTags || live_bytes_ > kMaxTagStoreBytes) {
    const auto oldest =
        std::ranges::min_element(tags_, {}, [](const auto& entry) { return entry.second.age; });
    live_bytes_ -= kHeadBytes + oldest->second.value.size();
    tags_.erase(oldest);
  }
}

void TagStore::compact() {
  std::vector<Snapshot::const_iterator> by_age;
  for (auto it = tags_.cbegin(); it != tags_.cend(); ++it) by_age.push_back(it);
  std::ranges::sort(by_age, {}, [](const auto& it) { return it->second.age; });
  std::vector<std::byte> content;
  for (const auto& it : by_age) {
    const auto record = encode(it->first, it->second.value);
    content.insert(content.end(), record.begin(), record.end());
  }
  UniqueFd fresh = open_file(directory_, kNewFile, where_);
  truncate(fresh.get(), 0, where_);
  write_at(fresh.get(), content, 0, where_);
  // rename(2) replaces in one step: a kill leaves the old file or the new one.
  if (::renameat(directory_, kNewFile, directory_, kStoreFiles[2]) != 0) {
    throw_errno(where_ + ": cannot replace the file");
  }
  file_ = std::move(fresh);
  file_bytes_ = content.size();
}

std::size_t TagStore::size() const {
  const std::lock_guard lock(mutex_);
  return tags_.size();
}

TagStore::Snapshot TagStore::snapshot() const {
  const std::lock_guard lock(mutex_);
  return tags_;
}

void TagStore::restore(const Snapshot& snapshot) {
  const std::lock_guard lock(mutex_);
  tags_ = snapshot;
  live_bytes_ = 0;
  for (const auto& [key, entry] : tags_) live_bytes_ += kHeadBytes + entry.value.size();
  compact();
}

}  // namespace missive::cache
