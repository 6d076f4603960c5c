#include "real/cache/store.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/disk.h"

namespace missive::cache {
namespace {

constexpr std::size_t kHeadBytes = IndexHead::kBytes, kRecordBytes = IndexRecord::kBytes;
// Disk space kept ahead of the index's end: drops must be possible on a full disk, or room could
// never be made there.
constexpr std::uint64_t kReserve = 16 * 1024;

bool is_same_file(int fd, int directory, const char* name) {
  struct stat open {
  }, named{};
  return ::fstat(fd, &open) == 0 && ::fstatat(directory, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
         open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

}  // namespace

UniqueFd open_store_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory.parent_path(), error);  // open() reports
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    throw_errno("cannot make the cache's directory " + directory.string());
  }
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) throw_errno("cannot open the cache's directory " + directory.string());
  return fd;
}

Store::Store(const std::filesystem::path& directory, const Options& options)
    : where_("cache store " + directory.string()),
      options_(options),
      own_directory_(open_store_directory(directory)) {
  open(own_directory_.get());
}

Store::Store(int directory, const std::string& where, const Options& options)
    : where_("cache store " + where), options_(options) {
  open(directory);
}

void Store::lock_index(int directory) {
  index_ = open_file(directory, kStoreFiles[1], where_);
  // The second question: a process that rewrites the index gives its name to another file.
  if (::flock(index_.get(), LOCK_EX | LOCK_NB) != 0 ||
      !is_same_file(index_.get(), directory, kStoreFiles[1])) {
    throw RunError(where_ + ": in use by another process; stop it or use another directory");
  }
}

void Store::open(int directory) {
  directory_ = directory;
  lock_index(directory);
  data_ = open_file(directory, kStoreFiles[0], where_);
  ::unlinkat(directory, kStoreFiles[4], 0);  // of a rewrite that was cut short

  IndexHead head = IndexHead::of_this_boot(0);
  bool same_boot = true;
  if (size_of(index_.get(), where_) < kHeadBytes) {
    // New, or killed before the head was whole: then no record was ever written.
    truncate(index_.get(), 0, where_);
    truncate(data_.get(), 0, where_);
    write_at(index_.get(), head.encode(), 0, where_);
  } else {
    std::array<std::byte, kHeadBytes> raw{};
    read_at(index_.get(), raw, 0, where_);
    const auto found = IndexHead::decode(raw);
    if (!found) throw RunError(where_ + ": not a store of this version; use an empty directory");
    same_boot = head.same_boot(*found);
    head.rewrites = found->rewrites;
  }
  end_ = {0, kHeadBytes, head.rewrites};
  load();
  if (!same_boot) {
    scrub();
    write_at(index_.get(), IndexHead::of_this_boot(end_.rewrites).encode(), 0, where_);
  }
}

void Store::load() {
  blocks_.clear();
  recipes_.clear();
  last_drop_at_ = 0;
  end_.index_bytes = kHeadBytes;
  const std::uint64_t size = size_of(index_.get(), where_);
  std::vector<std::byte> chunk(kRecordBytes * 1024);
  bool good = true;
  while (good && end_.index_bytes + kRecordBytes <= size) {
    const std::uint64_t whole = (size - end_.index_bytes) / kRecordBytes * kRecordBytes;
    const auto piece = std::span(chunk).first(std::min<std::uint64_t>(whole, chunk.size()));
    if (!read_at(index_.get(), piece, end_.index_bytes, where_)) break;
    for (std::size_t i = 0; i < piece.size(); i += kRecordBytes) {
      const auto r = IndexRecord::decode(piece.subspan(i, kRecordBytes));
      good = r.has_value();
      if (!good) break;
      end_.index_bytes += kRecordBytes;
      if (r->dropped) {
        table(r->content.kind).erase(r->content.name);
        last_drop_at_ = end_.index_bytes;
      } else {
        table(r->content.kind).insert_or_assign(r->content.name, Location{r->offset, r->length});
      }
    }
  }
  dropped_bytes_ += size - end_.index_bytes;
  truncate(index_.get(), end_.index_bytes, where_);
  settle();
}

// Finds the holes between contents, and drops contents that the file does not hold: beyond its
// end, or one over the other, which only a damaged disk can bring about.
void Store::settle() {
  const std::uint64_t size = size_of(data_.get(), where_);
  std::vector<std::pair<Location, Content>> by_offset;
  by_offset.reserve(blocks_.size() + recipes_.size());
  for_each([&](const Content& c, const Location& at) { by_offset.emplace_back(at, c); });
  std::ranges::sort(by_offset, {}, [](const auto& entry) { return entry.first.offset; });
  free_ = {};
  end_.data_bytes = 0;
  std::vector<Content> lost;
  for (const auto& [at, content] : by_offset) {
    if (at.offset < end_.data_bytes || at.offset + at.length > size) {
      lost.push_back(content);
      dropped_bytes_ += at.length;
      table(content.kind).erase(content.name);
      continue;
    }
    free_.give(end_.data_bytes, at.offset - end_.data_bytes);
    end_.data_bytes = at.offset + at.length;
  }
  dropped_bytes_ += size - std::min(size, end_.data_bytes);
  truncate(data_.get(), end_.data_bytes, where_);
  std::vector<std::byte> records;
  for (const Content& content : lost) {
    const auto record = IndexRecord{content, true, 0, 0}.encode();
    records.insert(records.end(), record.begin(), record.end());
  }
  log(records);
  if (!lost.empty()) last_drop_at_ = end_.index_bytes;
}

void Store::require_room_for(std::uint64_t data_end) {
  const std::uint64_t after = data_end + end_.index_bytes + kRecordBytes;
  if (options_.disk_limit != 0 && after > options_.disk_limit) {
    throw NoRoom(where_ + ": full: its limit is " + std::to_string(options_.disk_limit) +
                 " bytes; raise the limit or empty the store");
  }
  if (end_.index_bytes + kRecordBytes + kReserve / 2 > reserved_until_) {
    reserve(index_.get(), end_.index_bytes, kRecordBytes + kReserve, where_);
    reserved_until_ = end_.index_bytes + kRecordBytes + kReserve;
  }
}

// Appends to the index, or leaves it as it was.
void Store::log(std::span<const std::byte> records) {
  try {
    write_at(index_.get(), records, end_.index_bytes, where_);
  } catch (...) {
    truncate(index_.get(), end_.index_bytes, where_);
    reserved_until_ = 0;
    throw;
  }
  end_.index_bytes += records.size();
}

void Store::add(ContentKind kind, const zar::Digest& name, std::span<const std::byte> bytes) {
  if (bytes.size() > IndexRecord::kMaxLength)
    throw RunError(where_ + ": content too large to keep");
  const std::lock_guard lock(mutex_);
  if (table(kind).contains(name)) return;
  const auto hole = free_.take(bytes.size());
  const std::uint64_t offset = hole.value_or(end_.data_bytes);
  try {
    require_room_for(hole ? end_.data_bytes : offset + bytes.size());
    write_at(data_.get(), bytes, offset, where_);
    log(IndexRecord{{kind, name}, false, offset, static_cast<std::uint32_t>(bytes.size())}
            .encode());
  } catch (...) {
    // Gives the half-written content back.
    if (hole)
      free_.give(offset, bytes.size());
    else
      truncate(data_.get(), end_.data_bytes, where_);
    throw;
  }
  table(kind).emplace(name, Location{offset, static_cast<std::uint32_t>(bytes.size())});
  puts_ += 1;
  end_.data_bytes = std::max(end_.data_bytes, offset + bytes.size());
}

std::optional<Store::Location> Store::find(const Content& content) const {
  const std::lock_guard lock(mutex_);
  const auto found = table(content.kind).find(content.name);
  if (found == table(content.kind).end()) return std::nullopt;
  return found->second;
}

bool Store::contains(const zar::Digest& block) const {
  return find({ContentKind::block, block}).has_value();
}
std::optional<std::uint64_t> Store::recipe_length(const zar::Digest& image) const {
  const auto at = find({ContentKind::recipe, image});
  return at ? std::optional<std::uint64_t>(at->length) : std::nullopt;
}
bool Store::contains_recipe(const zar::Digest& image) const {
  return find({ContentKind::recipe, image}).has_value();
}
void Store::put(const zar::Digest& block, std::span<const std::byte> bytes) {
  add(ContentKind::block, block, bytes);
}
void Store::put_recipe(const zar::Digest& image, std::span<const std::byte> wire) {
  add(ContentKind::recipe, image, wire);
}

void Store::append_to(int to, const zar::Digest& block, std::uint32_t length) const {
  const std::shared_lock copying(copying_);
  const auto at = find({ContentKind::block, block});
  if (!at || at->length != length) {
    throw RunError(where_ + ": no block " + zar::to_hex(block) + " of " + std::to_string(length) +
                   " bytes");
  }
  auto offset = static_cast<off_t>(at->offset);
  const off_t end = offset + static_cast<off_t>(length);
  while (offset < end) {
    const ssize_t n = ::sendfile(to, data_.get(), &offset, static_cast<std::size_t>(end - offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno(where_ + ": cannot copy a block");
    if (n == 0) throw RunError(where_ + ": ends before block " + zar::to_hex(block));
  }
}

std::optional<std::vector<std::byte>> Store::recipe(const zar::Digest& image) const {
  const std::shared_lock copying(copying_);
  const auto at = find({ContentKind::recipe, image});
  if (!at) return std::nullopt;
  std::vector<std::byte> wire(at->length);
  if (!read_at(data_.get(), wire, at->offset, where_)) {
    throw RunError(where_ + ": ends before the recipe of " + zar::to_hex(image));
  }
  return wire;
}

std::vector<Store::Held> Store::held() const {
  const std::lock_guard lock(mutex_);
  std::vector<Held> all;
  all.reserve(blocks_.size() + recipes_.size());
  for_each([&](const Content& c, const Location& at) { all.push_back({c, at.length}); });
  return all;
}

Store::Stats Store::stats() const {
  const std::lock_guard lock(mutex_);
  return {blocks_.size(), recipes_.size(), end_.data_bytes, end_.index_bytes,
          free_.bytes(),  dropped_bytes_,  puts_ - synced_};
}

Store::Mark Store::mark() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

void Store::rewind(const Mark& mark) {
  const std::lock_guard lock(mutex_);
  if (mark.index_bytes < kHeadBytes || mark.index_bytes > end_.index_bytes ||
      mark.data_bytes > end_.data_bytes || mark.rewrites != end_.rewrites ||
      last_drop_at_ > mark.index_bytes) {
    throw InputError(where_ +
                     ": the mark to rewind to is not of this store, or something was "
                     "dropped since");
  }
  const std::uint64_t dropped = dropped_bytes_;
  truncate(index_.get(), mark.index_bytes, where_);
  reserved_until_ = 0;
  load();
  dropped_bytes_ = dropped;
}

}  // namespace missive::cache
