#include "real/launch/launch_runs.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace missive::launch {

namespace {

constexpr std::uint64_t kPage = 4096;

struct Span {
  std::uint32_t rank = 0;  // of its file, in the order in which the start first needed files
  std::uint32_t entry = 0;
  std::uint64_t first = 0, end = 0;  // pages
};

}  // namespace

std::vector<CoalescedRun> coalesced_runs(const zar::Image& image, std::uint32_t gap) {
  constexpr std::uint32_t kNone = UINT32_MAX;
  std::vector<std::uint32_t> ranks(image.entries().size(), kNone);
  std::uint32_t files = 0;
  std::vector<Span> spans;
  spans.reserve(image.launch_runs().size());
  for (const zar::LaunchRun& run : image.launch_runs()) {
    std::uint32_t& rank = ranks[run.entry];
    if (rank == kNone) rank = files++;
    spans.push_back({rank, run.entry, run.first_page, std::uint64_t{run.first_page} + run.pages});
  }
  std::sort(spans.begin(), spans.end(), [](const Span& a, const Span& b) {
    return a.rank != b.rank ? a.rank < b.rank : a.first < b.first;
  });

  std::vector<CoalescedRun> result;
  for (std::size_t i = 0; i < spans.size();) {
    const Span& first = spans[i];
    std::uint64_t end = first.end;
    for (++i; i < spans.size() && spans[i].rank == first.rank && spans[i].first <= end + gap; ++i) {
      end = std::max(end, spans[i].end);
    }
    const std::uint64_t size = image.entries()[first.entry].size;
    const std::uint64_t from = first.first * kPage;
    if (from < size) result.push_back({first.entry, from, std::min(end * kPage, size) - from});
  }
  return result;
}

std::vector<CoalescedRun> runs_by_touch(const zar::Image& image) {
  // A starting application waits for this: bits instead of a sort.
  using Pages = std::uint16_t;  // of a window of a file, a bit for each
  constexpr std::uint64_t kPagesOfWindow = 16;
  constexpr std::uint32_t kNone = UINT32_MAX;
  std::vector<std::uint32_t> first_window(image.entries().size(), kNone);
  std::vector<Pages> windows;
  const auto last_page = [&](const zar::LaunchRun& run) {
    const std::uint64_t pages = (image.entries()[run.entry].size + kPage - 1) / kPage;
    return std::min<std::uint64_t>(std::uint64_t{run.first_page} + run.pages, pages);
  };
  for (const zar::LaunchRun& run : image.launch_runs()) {
    std::uint32_t& first = first_window[run.entry];
    if (first == kNone) {
      first = static_cast<std::uint32_t>(windows.size());
      const std::uint64_t window = kPage * kPagesOfWindow;
      windows.resize(windows.size() + (image.entries()[run.entry].size + window - 1) / window);
    }
    for (std::uint64_t page = run.first_page; page < last_page(run); ++page)
      windows[first + page / kPagesOfWindow] |= static_cast<Pages>(1U << (page % kPagesOfWindow));
  }

  std::vector<CoalescedRun> result;
  result.reserve(image.launch_runs().size() * 2);
  for (const zar::LaunchRun& run : image.launch_runs()) {
    if (run.first_page >= last_page(run)) continue;
    for (std::uint64_t w = run.first_page / kPagesOfWindow;
         w <= (last_page(run) - 1) / kPagesOfWindow; ++w) {
      Pages pages = std::exchange(windows[first_window[run.entry] + w], Pages{0});
      while (pages != 0) {
        const auto from = static_cast<unsigned>(std::countr_zero(pages));
        const auto count =
            static_cast<unsigned>(std::countr_one(static_cast<Pages>(pages >> from)));
        const std::uint64_t offset = (w * kPagesOfWindow + from) * kPage;
        result.push_back(
            {run.entry, offset, std::min(count * kPage, image.entries()[run.entry].size - offset)});
        pages = static_cast<Pages>(pages & ~(((1U << count) - 1) << from));
      }
    }
  }
  return result;
}

std::uint64_t launch_run_bytes(const zar::Image& image) {
  std::uint64_t bytes = 0;
  for (const CoalescedRun& run : coalesced_runs(image)) bytes += run.bytes;
  return bytes;
}

BlocksAtStart blocks_at_start(const zar::Image& image) {
  const std::uint64_t size = image.block_size();
  BlocksAtStart blocks;
  blocks.front = (image.content_start() + size - 1) / size;
  std::vector<bool> seen(image.data().size() / size, false);
  for (const CoalescedRun& run : coalesced_runs(image))
    for (const zar::Extent& part : image.extents(image.entries()[run.entry])) {
      const std::uint64_t from = std::max(run.offset, part.file_offset);
      const std::uint64_t to = std::min(run.offset + run.bytes, part.file_end());
      if (from >= to) continue;
      const std::uint64_t begin = part.offset + (from - part.file_offset);
      for (std::uint64_t b = begin / size; b <= (begin + (to - from) - 1) / size; ++b)
        if (b >= blocks.front && !seen[b]) {
          seen[b] = true;
          ++blocks.runs;
        }
    }
  return blocks;
}

}  // namespace missive::launch
