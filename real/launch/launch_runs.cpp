#include "real/launch/launch_runs.h"

#include <algorithm>

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

std::uint64_t launch_run_bytes(const zar::Image& image) {
  std::uint64_t bytes = 0;
  for (const CoalescedRun& run : coalesced_runs(image)) bytes += run.bytes;
  return bytes;
}

}  // namespace missive::launch
