#include "real/launch/launch_runs.h"

#include <algorithm>
#include <unordered_map>

namespace missive::launch {

namespace {

constexpr std::uint64_t kPage = 4096;

struct Span {
  std::uint64_t first = 0, end = 0;  // pages
};

}  // namespace

std::vector<CoalescedRun> coalesced_runs(const zar::Image& image, std::uint32_t gap) {
  std::vector<std::uint32_t> order;
  std::unordered_map<std::uint32_t, std::vector<Span>> spans;
  for (const zar::LaunchRun& run : image.launch_runs()) {
    std::vector<Span>& of_file = spans[run.entry];
    if (of_file.empty()) order.push_back(run.entry);
    of_file.push_back({run.first_page, std::uint64_t{run.first_page} + run.pages});
  }
  std::vector<CoalescedRun> result;
  for (const std::uint32_t entry : order) {
    std::vector<Span>& of_file = spans[entry];
    std::sort(of_file.begin(), of_file.end(),
              [](const Span& a, const Span& b) { return a.first < b.first; });
    const std::uint64_t size = image.entries()[entry].size;
    Span open = of_file.front();
    const auto close = [&] {
      const std::uint64_t from = open.first * kPage;
      if (from < size) result.push_back({entry, from, std::min(open.end * kPage, size) - from});
    };
    for (const Span& next : of_file) {
      if (next.first > open.end + gap) {
        close();
        open = next;
      }
      open.end = std::max(open.end, next.end);
    }
    close();
  }
  return result;
}

std::uint64_t launch_run_bytes(const zar::Image& image) {
  std::uint64_t bytes = 0;
  for (const CoalescedRun& run : coalesced_runs(image)) bytes += run.bytes;
  return bytes;
}

}  // namespace missive::launch
