#include "real/zar/packing.h"

#include "real/zar/layout.h"

namespace missive::zar {

const std::vector<const PackingChoice*>& packings() {
  static const std::vector<const PackingChoice*> all = {&kPackingPath,      &kPackingPage,
                                                        &kPackingOff,       &kPackingGreedy,
                                                        &kPackingDirectory, &kPackingLaunch};
  return all;
}

Packed::Item& Packer::begin(bool small, bool on_block) {
  packed_.items.push_back(
      {0, static_cast<std::uint32_t>(packed_.members.size()), 0, small, on_block});
  return packed_.items.back();
}

void Packer::add(std::uint32_t content, std::uint64_t size) {
  Packed::Item& item = packed_.items.back();
  std::uint64_t at = align_up(item.size, kPacked);
  if (at % kPage + size > kPage) at = align_up(at, kPage);
  packed_.members.push_back({content, at});
  item.size = at + size;
  ++item.count;
}

std::uint64_t Packer::room() const {
  const std::uint64_t at = align_up(packed_.items.back().size, kPacked);
  return (kPage - at % kPage) % kPage;
}

void pack_large(std::span<const Content> contents, std::uint32_t block_size, Packed& packed) {
  Packer packer(packed);
  for (std::uint32_t i = 0; i < contents.size(); ++i) {
    if (contents[i].size < kPage) continue;
    packer.begin(false, contents[i].size >= block_size);
    packer.add(i, contents[i].size);
  }
}

}  // namespace missive::zar
