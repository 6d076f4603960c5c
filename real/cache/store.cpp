#include "real/cache/store.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/disk.h"
#include "real/cache/little_endian.h"
#include "real/zar/recipe.h"

namespace missive::cache {
namespace {

// Head of blocks.index: magic and version (16 bytes), boot id as the kernel writes it (36), zeros.
constexpr std::size_t kHeadBytes = 64;
constexpr char kMagic[] = "missive-store/1";
constexpr std::size_t kBootIdAt = 16, kBootIdBytes = 36;

constexpr std::size_t kRecordBytes = 56;
constexpr std::size_t kChecksumAt = 52;
constexpr std::uint32_t kMaxContent = 64U * 1024 * 1024;

using Head = std::array<std::byte, kHeadBytes>;

Head head_of_this_boot() {
  Head head{};
  std::memcpy(head.data(), kMagic, sizeof kMagic);
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  if (file >> id) {
    std::memcpy(head.data() + kBootIdAt, id.data(), std::min(id.size(), kBootIdBytes));
  }
  return head;
}

bool has_boot_id(const Head& head) { return head[kBootIdAt] != std::byte{0}; }

}  // namespace

// At byte 0 the digest, 32 offset (u64), 40 length (u32), 44 kind (u32), 48 zero (u32), 52 CRC-32
// of bytes 0..51.
struct Store::Record {
  zar::Digest name;
  Location at;
  Kind kind = Kind::block;

  std::array<std::byte, kRecordBytes> encode() const {
    std::array<std::byte, kRecordBytes> out{};
    std::memcpy(out.data(), name.bytes.data(), name.bytes.size());
    store_le(out.data() + 32, at.offset);
    store_le(out.data() + 40, at.length);
    store_le(out.data() + 44, static_cast<std::uint32_t>(kind));
    store_le(out.data() + kChecksumAt, crc32_of(std::span(out).first(kChecksumAt)));
    return out;
  }

  static std::optional<Record> decode(std::span<const std::byte> in) {
    if (load_le<std::uint32_t>(in.data() + kChecksumAt) != crc32_of(in.first(kChecksumAt))) {
      return std::nullopt;
    }
    Record r;
    std::memcpy(r.name.bytes.data(), in.data(), r.name.bytes.size());
    r.at = {load_le<std::uint64_t>(in.data() + 32), load_le<std::uint32_t>(in.data() + 40)};
    const auto kind = load_le<std::uint32_t>(in.data() + 44);
    if (kind != 1 && kind != 2) return std::nullopt;
    r.kind = static_cast<Kind>(kind);
    return r;
  }
};

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
    : where_("cache store " + directory.string()), options_(options) {
  const UniqueFd fd = open_store_directory(directory);
  open(fd.get());
}

Store::Store(int directory, const std::string& where, const Options& options)
    : where_("cache store " + where), options_(options) {
  open(directory);
}

void Store::open(int directory) {
  index_ = open_file(directory, kStoreFiles[1], where_);
  if (::flock(index_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw RunError(where_ + ": in use by another process; stop it or use another directory");
  }
  data_ = open_file(directory, kStoreFiles[0], where_);

  const Head now = head_of_this_boot();
  const std::uint64_t index_size = size_of(index_.get(), where_);
  Head head{};
  bool same_boot = true;
  if (index_size < kHeadBytes) {
    // New, or killed before the head was whole: then no record was ever written.
    cut_off({0, 0});
    write_at(index_.get(), now, 0, where_);
  } else {
    read_at(index_.get(), head, 0, where_);
    if (std::memcmp(head.data(), kMagic, sizeof kMagic) != 0) {
      throw RunError(where_ + ": not a store of this version; use an empty directory");
    }
    same_boot = has_boot_id(now) && head == now;
  }
  end_ = {0, kHeadBytes};
  load();
  if (!same_boot) {
    scrub();
    write_at(index_.get(), now, 0, where_);
  }
}

void Store::load() {
  const std::uint64_t data_size = size_of(data_.get(), where_);
  const std::uint64_t index_size = size_of(index_.get(), where_);
  std::vector<std::byte> chunk(kRecordBytes * 1024);
  bool good = true;
  while (good && end_.index_bytes + kRecordBytes <= index_size) {
    const std::uint64_t whole = (index_size - end_.index_bytes) / kRecordBytes * kRecordBytes;
    const auto piece = std::span(chunk).first(std::min<std::uint64_t>(whole, chunk.size()));
    if (!read_at(index_.get(), piece, end_.index_bytes, where_)) break;
    for (std::size_t i = 0; i < piece.size() && good; i += kRecordBytes) {
      const auto r = Record::decode(piece.subspan(i, kRecordBytes));
      // Contents lie one after the other, so a record is in order or it is not ours.
      good = r && r->at.offset == end_.data_bytes && r->at.length <= kMaxContent &&
             r->at.offset + r->at.length <= data_size;
      if (!good) break;
      table(r->kind).insert_or_assign(r->name, r->at);
      end_.data_bytes += r->at.length;
      end_.index_bytes += kRecordBytes;
    }
  }
  dropped_bytes_ = (data_size - end_.data_bytes) + (index_size - end_.index_bytes);
  cut_off(end_);
}

bool Store::is_intact(const Record& record) const {
  std::vector<std::byte> content(record.at.length);
  if (!read_at(data_.get(), content, record.at.offset, where_)) return false;
  if (record.kind == Kind::block) return zar::sha256(content) == record.name;
  try {
    return zar::Recipe::parse(content, where_).name() == record.name;
  } catch (const InputError&) {
    return false;
  }
}

void Store::scrub() {
  std::array<std::byte, kRecordBytes> raw{};
  Mark good{0, kHeadBytes};
  while (good.index_bytes < end_.index_bytes) {
    read_at(index_.get(), raw, good.index_bytes, where_);
    const auto r = Record::decode(raw);
    if (!r || !is_intact(*r)) break;
    good.data_bytes += r->at.length;
    good.index_bytes += kRecordBytes;
  }
  dropped_bytes_ += (end_.data_bytes - good.data_bytes) + (end_.index_bytes - good.index_bytes);
  rewind(good);
}

void Store::cut_off(const Mark& at) {
  // Index first: it may never name content that is gone.
  truncate(index_.get(), at.index_bytes, where_);
  truncate(data_.get(), at.data_bytes, where_);
}

void Store::add(Kind kind, const zar::Digest& name, std::span<const std::byte> bytes) {
  if (bytes.size() > kMaxContent) throw RunError(where_ + ": content too large to keep");
  const std::lock_guard lock(mutex_);
  if (table(kind).contains(name)) return;
  const std::uint64_t after = end_.data_bytes + end_.index_bytes + bytes.size() + kRecordBytes;
  if (options_.disk_limit != 0 && after > options_.disk_limit) {
    throw RunError(where_ + ": full: its limit is " + std::to_string(options_.disk_limit) +
                   " bytes; raise the limit or empty the store");
  }
  const Record record{name, {end_.data_bytes, static_cast<std::uint32_t>(bytes.size())}, kind};
  try {
    write_at(data_.get(), bytes, end_.data_bytes, where_);
    write_at(index_.get(), record.encode(), end_.index_bytes, where_);
  } catch (...) {
    cut_off(end_);  // give the half-written content back to the disk
    throw;
  }
  table(kind).emplace(name, record.at);
  end_.data_bytes += bytes.size();
  end_.index_bytes += kRecordBytes;
}

std::optional<Store::Location> Store::find(const Table& table, const zar::Digest& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = table.find(name);
  if (found == table.end()) return std::nullopt;
  return found->second;
}

bool Store::contains(const zar::Digest& block) const { return find(blocks_, block).has_value(); }
bool Store::contains_recipe(const zar::Digest& image) const {
  return find(recipes_, image).has_value();
}
void Store::put(const zar::Digest& block, std::span<const std::byte> bytes) {
  add(Kind::block, block, bytes);
}
void Store::put_recipe(const zar::Digest& image, std::span<const std::byte> wire) {
  add(Kind::recipe, image, wire);
}

void Store::append_to(int to, const zar::Digest& block, std::uint32_t length) const {
  const auto at = find(blocks_, block);
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
  const auto at = find(recipes_, image);
  if (!at) return std::nullopt;
  std::vector<std::byte> wire(at->length);
  if (!read_at(data_.get(), wire, at->offset, where_)) {
    throw RunError(where_ + ": ends before the recipe of " + zar::to_hex(image));
  }
  return wire;
}

Store::Stats Store::stats() const {
  const std::lock_guard lock(mutex_);
  return {blocks_.size(), recipes_.size(), end_.data_bytes, end_.index_bytes, dropped_bytes_};
}

Store::Mark Store::mark() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

void Store::rewind(const Mark& mark) {
  const std::lock_guard lock(mutex_);
  if (mark.index_bytes < kHeadBytes || mark.index_bytes > end_.index_bytes ||
      mark.data_bytes > end_.data_bytes) {
    throw InputError(where_ + ": the mark to rewind to is not of this store");
  }
  cut_off(mark);
  const auto is_newer = [&](const auto& entry) { return entry.second.offset >= mark.data_bytes; };
  std::erase_if(blocks_, is_newer);
  std::erase_if(recipes_, is_newer);
  end_ = mark;
}

}  // namespace missive::cache
