#include "real/zar/touched.h"

#include <algorithm>
#include <unordered_set>

#include "real/zar/layout.h"

namespace missive::zar {

namespace {

std::uint64_t page_key(std::uint32_t entry, std::uint64_t page) {
  return (std::uint64_t{entry} << 32U) | page;  // a run's pages are 32-bit numbers
}

}  // namespace

Touched touched_blocks(const Image& image, std::uint64_t block_size) {
  Touched touched;
  std::unordered_set<std::uint64_t> pages, blocks;
  for (const LaunchRun& run : image.launch_runs()) {
    const std::uint32_t file = image.link_of(run.entry);
    const Entry& entry = image.entries()[file];
    const std::uint64_t from = std::uint64_t{run.first_page} * kPage;
    const std::uint64_t to = std::min(from + std::uint64_t{run.pages} * kPage, entry.size);
    for (const Extent& extent : image.extents(entry)) {
      const std::uint64_t begin = std::max(from, extent.file_offset);
      const std::uint64_t end = std::min(to, extent.file_end());
      for (std::uint64_t at = begin; at < end; at = (at / kPage + 1) * kPage) {
        touched.pages += pages.insert(page_key(file, at / kPage)).second;
        const std::uint64_t block = (extent.offset + (at - extent.file_offset)) / block_size;
        if (blocks.insert(block).second) touched.blocks.push_back(block);
      }
    }
  }
  std::vector<std::uint64_t> sorted = touched.blocks;
  std::sort(sorted.begin(), sorted.end());
  for (std::size_t i = 0; i < sorted.size(); ++i)
    touched.stretches += i == 0 || sorted[i] != sorted[i - 1] + 1;
  return touched;
}

}  // namespace missive::zar
