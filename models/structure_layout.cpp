#include "models/structure_layout.h"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <set>

#include "models/structure_parts.h"

namespace missive::structure {

std::uint64_t mixed(std::uint64_t a, std::uint64_t b) {
  std::uint64_t x = a * 0x9e3779b97f4a7c15U + b + 0x632be59bd9b4e019U;
  x ^= x >> 33U;
  x *= 0xff51afd7ed558ccdU;
  x ^= x >> 33U;
  x *= 0xc4ceb9fe1a85ec53U;
  return x ^ (x >> 33U);
}

void PageKeys::of(const FileFact& file, std::span<std::uint64_t> keys) const {
  of_content(file.content, keys);
}

void PageKeys::of_content(std::uint64_t content, std::span<std::uint64_t> keys) const {
  for (std::uint64_t page = 0; page < keys.size(); ++page) keys[page] = mixed(content, page + 1);
  if (held_ == nullptr) return;
  const auto known = held_->find(content);
  if (known != held_->end())
    std::copy_n(known->second.begin(), std::min(known->second.size(), keys.size()), keys.begin());
}

namespace {

// Packing "greedy": the largest small file that the rest of a page takes, as long as one fits; of
// equal ones the first. What fills no larger file's last page fills pages of its own.
class GreedyPacking {
 public:
  explicit GreedyPacking(const StructureFacts& f) : files_(f.files) {
    for (std::size_t i = 0; i < files_.size(); ++i)
      if (files_[i].size < kPage) left_.emplace(files_[i].size, files_.size() - i);
  }
  // The rest of the last page.
  void fill(LaidItem& item) {
    while (const std::uint64_t room = up(item.size, kPage) - up(item.size, kSlot))
      if (!add(item, room)) return;
  }
  // All that is left, if anything is.
  std::optional<LaidItem> rest() {
    if (left_.empty()) return std::nullopt;
    LaidItem item;
    item.small = true;
    while (add(item, kPage)) fill(item);
    return item;
  }

 private:
  bool add(LaidItem& item, std::uint64_t room) {
    const auto above = left_.lower_bound({room + 1, 0});
    if (above == left_.begin()) return false;
    const auto taken = std::prev(above);
    const std::size_t i = files_.size() - taken->second;
    left_.erase(taken);
    const std::uint64_t at = up(item.size, room < kPage ? kSlot : kPage);
    item.members.emplace_back(static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(at));
    item.size = at + files_[i].size;
    item.key = mixed(item.key, files_[i].content);
    item.rank = std::min(item.rank, files_[i].rank);
    return true;
  }

  const std::vector<FileFact>& files_;
  std::set<std::pair<std::uint64_t, std::size_t>> left_;  // size, and from behind
};

}  // namespace

std::vector<LaidItem> pack(const StructureFacts& f, const StructureDesign& d) {
  std::vector<LaidItem> items;
  const auto alone = [&](std::uint32_t i) {
    const FileFact& file = f.files[i];
    LaidItem& item = items.emplace_back();
    item.size = file.size, item.key = file.content, item.rank = file.rank;
    item.small = file.size < kPage;
    item.on_block = d.packing == "off" || file.size >= d.block_size;
    item.members = {{i, 0}};
  };
  const auto count = static_cast<std::uint32_t>(f.files.size());
  if (d.packing == "greedy") {
    GreedyPacking small(f);
    for (std::uint32_t i = 0; i < count; ++i) {
      if (f.files[i].size < kPage) continue;
      alone(i);
      small.fill(items.back());
    }
    if (auto rest = small.rest()) items.push_back(std::move(*rest));
    return items;
  }
  if (d.packing != "path") {
    for (std::uint32_t i = 0; i < count; ++i) alone(i);
    return items;
  }
  LaidItem bundle;
  bundle.small = true;
  for (std::uint32_t i = 0; i < count; ++i) {
    const FileFact& file = f.files[i];
    if (file.size >= kPage) continue;
    std::uint64_t at = up(bundle.size, kSlot);
    if (at % kPage + file.size > kPage) at = up(at, kPage);
    bundle.members.emplace_back(i, static_cast<std::uint32_t>(at));
    bundle.size = at + file.size;
    bundle.key = mixed(bundle.key, file.content);
    bundle.rank = std::min(bundle.rank, file.rank);
  }
  if (f.bundle) bundle.key = *f.bundle;
  if (!bundle.members.empty()) items.push_back(std::move(bundle));
  for (std::uint32_t i = 0; i < count; ++i)
    if (f.files[i].size >= kPage) alone(i);
  return items;
}

namespace {

LaidPlaces place_in_order(const std::vector<LaidItem>& items, std::uint64_t start,
                          std::uint64_t block_size, bool launch) {
  std::vector<std::uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto by = [&](std::uint32_t i) {
    return std::pair(launch ? items[i].rank : 0, items[i].small ? 0 : items[i].on_block ? 2 : 1);
  };
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return by(a) < by(b); });
  LaidPlaces p;
  p.offsets.resize(items.size());
  p.end = start;
  for (const std::uint32_t i : order) {
    p.offsets[i] = up(p.end, items[i].on_block ? block_size : kPage);
    p.end = p.offsets[i] + items[i].size;
  }
  return p;
}

// The largest item that the rest of a block takes, else the largest of all.
LaidPlaces place_greedily(const std::vector<LaidItem>& items, std::uint64_t start,
                          std::uint64_t block_size) {
  // By size; of equal ones the last is taken first, so they are numbered backwards.
  std::set<std::pair<std::uint64_t, std::size_t>> left;
  for (std::size_t i = 0; i < items.size(); ++i) left.emplace(items[i].size, items.size() - i);
  LaidPlaces p;
  p.offsets.resize(items.size());
  p.end = start;
  while (!left.empty()) {
    const std::uint64_t at = up(p.end, kPage), rest = up(at, block_size) - at;
    auto above = left.lower_bound({rest + 1, 0});
    if (above == left.begin()) above = left.end();
    const auto taken = std::prev(above);
    const std::size_t i = items.size() - taken->second;
    left.erase(taken);
    p.offsets[i] = items[i].on_block ? up(at, block_size) : at;
    p.end = p.offsets[i] + items[i].size;
  }
  return p;
}

// Keys of the pages of the metadata. A record of the index says where its file lies; names lie in
// the order of the index.
std::vector<std::uint64_t> index_pages(const StructureFacts& f, std::uint64_t metadata,
                                       const std::vector<std::uint64_t>& offset_of,
                                       std::uint64_t end) {
  constexpr std::uint64_t kHeader = 256, kRecord = 40;
  std::vector<std::uint64_t> pages(up(metadata, kPage) / kPage);
  const auto touch = [&](std::uint64_t from, std::uint64_t bytes, std::uint64_t key) {
    for (std::uint64_t page = from / kPage; page <= (from + bytes - 1) / kPage; ++page)
      if (page < pages.size()) pages[page] = mixed(pages[page], key);
  };
  touch(0, kHeader, mixed(end, metadata));
  std::uint64_t at = kHeader, text = kHeader + f.entries * kRecord;
  const std::uint64_t texts = text;
  for (const EntryFact& e : f.index) {
    const std::uint64_t where =
        e.file == EntryFact::kNone ? e.texts == 0 ? 0 : text : offset_of[e.file];
    touch(at, kRecord, mixed(e.stamp, mixed(where, text - texts)));
    if (e.texts > 0) touch(text, e.texts, e.name);
    at += kRecord, text += e.texts;
  }
  // What follows the names moves with them and is otherwise taken as it was.
  if (text < metadata) touch(text, metadata - text, mixed(text, f.extras));
  return pages;
}

}  // namespace

bool laid_out(const StructureDesign& d) {
  constexpr const char* kPackings[] = {"off", "page", "path", "greedy"};
  return std::ranges::find(kPackings, d.packing) != std::end(kPackings) && d.units != "cdc";
}

bool hashes_known(const StructureFacts& f, const StructureDesign& d, const ContentHashes* known) {
  if (known == nullptr) return false;
  const std::vector<LaidItem> items = pack(f, d);
  return std::all_of(items.begin(), items.end(),
                     [&](const LaidItem& item) { return known->order(item.key).has_value(); });
}

std::optional<Layout> lay_out(const StructureFacts& f, const StructureDesign& d,
                              std::uint64_t metadata, const PageKeys& keys,
                              const PlaceHashes& hashes) {
  if (!laid_out(d)) return std::nullopt;
  const std::vector<LaidItem> items = pack(f, d);
  Layout out;
  out.content_start = up(metadata, d.block_size);
  const LaidPlaces places =
      d.placement == "stable" ? place_by_hash(items, out.content_start, d.block_size, hashes)
      : d.placement == "greedy"
          ? place_greedily(items, out.content_start, d.block_size)
          : place_in_order(items, out.content_start, d.block_size, d.placement == "launch");
  out.scrap_items = places.scrap_items;
  out.content_end = std::max(places.end, out.content_start);
  out.end = up(out.content_end, d.block_size);

  std::vector<std::uint64_t> offset_of(f.files.size());
  std::vector<std::uint64_t> pages(out.end / kPage);
  std::vector<LaidUnit> strings;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::uint64_t at = places.offsets[i];
    std::uint64_t whole = items[i].key;
    for (const auto& [file, offset] : items[i].members) {
      const FileFact& fact = f.files[file];
      offset_of[file] = at + offset;
      const std::uint64_t first = (at + offset) / kPage;
      if (fact.size < kPage) {
        pages[first] = mixed(pages[first], mixed(fact.content, offset % kPage));
        whole = mixed(whole, offset);
        continue;
      }
      keys.of(fact, std::span(pages).subspan(first, up(fact.size, kPage) / kPage));
    }
    if (d.units == "strings") strings.push_back({at, items[i].size, whole});
  }
  const auto front = index_pages(f, metadata, offset_of, out.end);
  std::copy(front.begin(), front.end(), pages.begin());

  const std::uint64_t per = d.block_size / kPage;
  const std::uint64_t blocks = (d.units == "strings" ? out.content_start : out.end) / d.block_size;
  for (std::uint64_t b = 0; b < blocks; ++b) {
    std::uint64_t key = 0;
    for (std::uint64_t page = b * per; page < (b + 1) * per; ++page) key = mixed(key, pages[page]);
    out.units.push_back({b * d.block_size, d.block_size, key});
  }
  out.units.insert(out.units.end(), strings.begin(), strings.end());
  return out;
}

}  // namespace missive::structure
