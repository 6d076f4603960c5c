// image_content(): applications as blocks of their images, laid out by the builder's own packing
// and placement from names and sizes.

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "models/error.h"
#include "real/commonality/maker.h"
#include "real/zar/layout.h"
#include "real/zar/packing.h"
#include "real/zar/placement.h"

namespace missive::commonality {

namespace {

// A stretch of a file within one block, by what tells it from others.
struct Part {
  std::uint64_t place = 0;  // within the block
  std::uint64_t length = 0;
  std::uint64_t hash = 0;  // of these bytes, or of their file when they are a part of it
  std::uint64_t from = 0;  // then: where in the file
};
static_assert(sizeof(Part) == 32, "parts are hashed as they lie in memory");

// The files of one application in path order, as an image has them.
std::vector<const ListedFile*> files_of(const BlockLists& lists, const ListedApplication& a) {
  std::vector<const ListedFile*> files;
  for (const std::uint32_t package : a.packages)
    for (const ListedFile& file : lists.packages[package].files) files.push_back(&file);
  std::stable_sort(files.begin(), files.end(),
                   [](const auto* x, const auto* y) { return x->path < y->path; });
  return files;
}

class ImageBlocks {
 public:
  ImageBlocks(Maker& maker, Member& member, std::optional<std::size_t> cutting, std::uint32_t block)
      : maker_(maker), member_(member), cutting_(cutting), block_(block) {}

  // Files by rising offset.
  void add(const ListedFile& file, std::uint64_t offset) {
    for (std::uint64_t at = 0; at < file.size;) {
      const std::uint64_t block = (offset + at) / block_, place = (offset + at) % block_;
      const std::uint64_t length = std::min<std::uint64_t>(file.size - at, block_ - place);
      if (block != at_) flush();
      at_ = block;
      parts_.push_back(part(file, at, place, length));
      at += length;
    }
  }

  void flush() {
    if (!parts_.empty()) maker_.add(member_, hash64(std::as_bytes(std::span(parts_))), block_);
    parts_.clear();
  }

 private:
  Part part(const ListedFile& file, std::uint64_t at, std::uint64_t place,
            std::uint64_t length) const {
    if (length == file.size) return {place, length, file.digest, 0};
    if (cutting_ && at % block_ == 0 && !file.units[*cutting_].empty())
      if (const ListedUnit& unit = file.units[*cutting_][at / block_]; unit.length == length)
        return {place, length, unit.hash, 0};
    return {place, length, file.digest, at + 1};
  }

  Maker& maker_;
  Member& member_;
  std::optional<std::size_t> cutting_;
  std::uint32_t block_;
  std::uint64_t at_ = 0;
  std::vector<Part> parts_;
};

void lay_out(const std::vector<const ListedFile*>& files, std::uint32_t block,
             ImageBlocks& blocks) {
  std::vector<zar::Content> contents;
  std::vector<const ListedFile*> sources;
  for (const ListedFile* file : files)
    if (file->size > 0) {
      contents.push_back({file->path, file->size, zar::kNever});
      sources.push_back(file);
    }
  const zar::Packed packed = zar::kPackingPath.pack(contents, block);
  const zar::Placed placed = zar::kPlacementInOrder.place({packed, contents, {}, 0, block});
  std::vector<std::pair<std::uint64_t, const ListedFile*>> order;
  for (std::size_t i = 0; i < packed.items.size(); ++i)
    for (const auto& m : packed.of(packed.items[i]))
      order.emplace_back(placed.offsets[i] + m.offset, sources[m.content]);
  std::sort(order.begin(), order.end());
  for (const auto& [offset, file] : order) blocks.add(*file, offset);
  blocks.flush();
}

}  // namespace

Collection image_content(const BlockLists& lists, const std::string& block) {
  const std::uint32_t size = parse_cutting(block).block;
  if (size < zar::kPage)
    throw InputError("units \"image " + block + "\": an image has blocks of 4KiB and more");
  std::optional<std::size_t> cutting;
  for (std::size_t i = 0; i < lists.cuttings.size(); ++i)
    if (lists.cuttings[i].block == size) cutting = i;
  Maker maker;
  for (const ListedApplication& application : lists.applications) {
    Member member{application.name, application.family, {}, 0, 0};
    const std::vector<const ListedFile*> files = files_of(lists, application);
    member.files = files.size();
    for (const ListedFile* file : files) member.path_bytes += file->path.size();
    ImageBlocks blocks(maker, member, cutting, size);
    lay_out(files, size, blocks);
    maker.add(std::move(member));
  }
  Collection c = maker.take();
  c.metadata_unit = size;
  return c;
}

}  // namespace missive::commonality
