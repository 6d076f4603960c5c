#include "real/cache/fsck.h"

#include <algorithm>
#include <cerrno>
#include <unordered_map>
#include <unordered_set>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "models/error.h"
#include "real/cache/content_check.h"
#include "real/cache/disk.h"
#include "real/cache/little_endian.h"
#include "real/cache/store.h"
#include "real/cache/tag_store.h"
#include "real/fd.h"
#include "real/zar/recipe.h"

namespace missive::cache {
namespace {

constexpr std::size_t kMostLines = 100;

struct Place {
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
};

std::string text_of(const Content& c) {
  return (c.kind == ContentKind::block ? "block " : "recipe ") + zar::to_hex(c.name);
}

class Check {
 public:
  Check(const std::filesystem::path& directory, bool thorough)
      : where_("cache store " + directory.string()), thorough_(thorough) {
    folder_.reset(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder_) throw InputError(where_ + ": not a folder that can be read; name a store");
  }

  StoreReport run() {
    index_ = open_to_read(kStoreFiles[1]);
    data_ = open_to_read(kStoreFiles[0]);
    if (!index_ || !data_) {
      throw InputError(where_ + ": no store (no " + kStoreFiles[0] + " and " + kStoreFiles[1] +
                       "); name a folder that `cache serve --store` wrote");
    }
    if (::flock(index_.get(), LOCK_SH | LOCK_NB) != 0) {
      throw RunError(where_ + ": in use by another process; stop it first");
    }
    read_index();
    check_contents();
    check_images();
    check_tags();
    if (open_to_read(kStoreFiles[4]))
      damaged("blocks.index.new: left by a rewrite that was cut short");
    return std::move(report_);
  }

 private:
  UniqueFd open_to_read(const char* name) const {
    UniqueFd fd(::openat(folder_.get(), name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd && errno != ENOENT) throw_errno(where_ + ": cannot open " + name);
    return fd;
  }
  void damaged(const std::string& what) {
    if (report_.damage.size() < kMostLines)
      report_.damage.push_back(what);
    else
      report_.damage.back() = "and more";
  }
  void bad(const Content& content, const std::string& what) {
    damaged(text_of(content) + ": " + what);
    report_.bad.push_back(content);
  }

  void read_index();
  void check_contents();
  void check_images();
  void check_tags();

  std::string where_;
  bool thorough_;
  UniqueFd folder_, index_, data_;
  StoreReport report_;
  std::unordered_map<zar::Digest, Place> blocks_, recipes_;
  std::vector<zar::Recipe> whole_recipes_;
};

void Check::read_index() {
  std::array<std::byte, IndexHead::kBytes> head{};
  const std::uint64_t size = size_of(index_.get(), where_);
  report_.index_bytes = size;
  if (size < head.size()) {
    if (size != 0) damaged("blocks.index: its head is cut off");
    return;
  }
  read_at(index_.get(), head, 0, where_);
  if (!IndexHead::decode(head)) throw InputError(where_ + ": not a store of this version");
  std::array<std::byte, IndexRecord::kBytes> raw{};
  for (std::uint64_t at = head.size(); at < size; at += raw.size()) {
    const auto record =
        read_at(index_.get(), raw, at, where_) ? IndexRecord::decode(raw) : std::nullopt;
    if (!record) {
      damaged("blocks.index: no record at byte " + std::to_string(at) + "; " +
              std::to_string(size - at) + " bytes from there on do not count");
      return;
    }
    auto& table = record->content.kind == ContentKind::block ? blocks_ : recipes_;
    if (record->dropped)
      table.erase(record->content.name);
    else
      table.insert_or_assign(record->content.name, Place{record->offset, record->length});
  }
}

void Check::check_contents() {
  std::vector<std::pair<Place, Content>> by_offset;
  for (const auto& [name, at] : blocks_) by_offset.push_back({at, {ContentKind::block, name}});
  for (const auto& [name, at] : recipes_) by_offset.push_back({at, {ContentKind::recipe, name}});
  std::ranges::sort(by_offset, {}, [](const auto& entry) { return entry.first.offset; });
  report_.data_bytes = size_of(data_.get(), where_);
  std::uint64_t end = 0;
  std::vector<std::byte> bytes;
  for (const auto& [at, content] : by_offset) {
    const bool is_recipe = content.kind == ContentKind::recipe;
    (is_recipe ? report_.recipes : report_.blocks) += 1;
    if (at.offset + at.length > report_.data_bytes) {
      bad(content, "beyond the end of blocks");
      continue;
    }
    if (at.offset < end) {
      bad(content, "lies over another content, at byte " + std::to_string(at.offset));
      continue;
    }
    report_.free_bytes += at.offset - end;
    end = at.offset + at.length;
    if (!thorough_ && !is_recipe) continue;
    bytes.resize(at.length);
    if (!read_at(data_.get(), bytes, at.offset, where_) || !is_what_it_says(content, bytes))
      bad(content, "is not what its name says, at byte " + std::to_string(at.offset));
    else if (is_recipe)
      whole_recipes_.push_back(zar::Recipe::parse(bytes, where_));
  }
  if (report_.data_bytes > end)
    damaged("blocks: " + std::to_string(report_.data_bytes - end) + " bytes that no record names");
}

void Check::check_images() {
  for (const Content& c : report_.bad)
    (c.kind == ContentKind::block ? blocks_ : recipes_).erase(c.name);
  std::unordered_set<zar::Digest> referenced;
  for (const zar::Recipe& recipe : whole_recipes_) {
    const bool whole = std::ranges::all_of(
        recipe.leaves, [&](const zar::Digest& leaf) { return blocks_.contains(leaf); });
    (whole ? report_.images_whole : report_.images_in_part) += 1;
    referenced.insert(recipe.leaves.begin(), recipe.leaves.end());
  }
  for (const auto& [name, at] : blocks_)
    if (!referenced.contains(name)) report_.unreferenced_blocks += 1;
}

// The layout of tag_store.cpp: key, length of the value, CRC-32 over a zero in its own place,
// value.
void Check::check_tags() {
  constexpr std::size_t kHead = 40, kLengthAt = 32, kChecksumAt = 36;
  const UniqueFd fd = open_to_read(kStoreFiles[2]);
  if (!fd) return;
  const std::uint64_t size = report_.tag_bytes = size_of(fd.get(), where_);
  std::unordered_set<zar::Digest> keys;
  std::vector<std::byte> record;
  std::uint64_t at = 0;
  while (at + kHead <= size) {
    record.resize(kHead);
    read_at(fd.get(), record, at, where_);
    const auto length = load_le<std::uint32_t>(record.data() + kLengthAt);
    if (length > kMaxTagStoreBytes || length > size - at - kHead) break;
    record.resize(kHead + length);
    read_at(fd.get(), record, at, where_);
    const auto checksum = load_le<std::uint32_t>(record.data() + kChecksumAt);
    store_le(record.data() + kChecksumAt, std::uint32_t{0});
    if (crc32_of(record) != checksum) break;
    zar::Digest key;
    std::copy_n(record.begin(), key.bytes.size(), key.bytes.begin());
    keys.insert(key);
    at += record.size();
  }
  report_.tags = keys.size();
  if (at != size)
    damaged("tags: no record at byte " + std::to_string(at) + "; " + std::to_string(size - at) +
            " bytes from there on do not count");
}

}  // namespace

StoreReport check_store(const std::filesystem::path& directory, bool thorough) {
  return Check(directory, thorough).run();
}

void repair_store(const std::filesystem::path& directory, const StoreReport& report) {
  const UniqueFd folder = open_store_directory(directory);
  Store store(folder.get(), directory.string(), {});
  store.drop(report.bad);
  const TagStore tags(folder.get(), directory.string());
}

}  // namespace missive::cache
