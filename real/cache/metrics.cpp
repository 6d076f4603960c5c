#include "real/cache/metrics.h"

#include <algorithm>
#include <charconv>
#include <string_view>

#include "models/error.h"

namespace missive::cache {
namespace {

constexpr std::size_t kMostLines = 64;

bool is_name(std::string_view text) {
  return !text.empty() &&
         std::ranges::all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

}  // namespace

const std::vector<MetricKind>& metric_kinds() {
  static const std::vector<MetricKind> all = {
      {"uptime_seconds", "since the cache started", false},
      {"store_bytes", "size of the store's files blocks and blocks.index", false},
      {"store_limit_bytes", "what they may have together; 0 without limit", false},
      {"store_free_bytes", "holes in blocks", false},
      {"store_blocks", "blocks in the store", false},
      {"store_images", "recipes in the store", false},
      {"store_dropped_bytes", "cut off or found damaged when the store was opened", false},
      {"store_unsynced",
       "contents put since the last sync to the disk; an earlier cache's count as one", false},
      {"tags", "tags in the tag store", false},
      {"memory_images", "images assembled in memory", false},
      {"memory_bytes", "their bytes", false},
      {"connections", "open connections", false},
      {"fetches_in_flight", "images being fetched from the origin", false},
      {"fetches_waiting", "images that wait until they may be fetched", false},
      {"fetches_sharing", "clients that wait for the fetch another one began", false},
      {"image_hits_total", "fetches of images that were whole in the store", true},
      {"image_misses_total", "fetches that had to ask the origin for blocks", true},
      {"block_hits_total", "blocks of fetched images that were in the store", true},
      {"block_misses_total", "blocks that the origin was asked for", true},
      {"origin_bytes_total", "bytes of bodies from the origin", true},
      {"origin_requests_total", "requests to the origin", true},
      {"fetches_shared_total", "fetches answered by what another client fetched meanwhile", true},
      {"fetches_failed_total", "fetches that failed", true},
      {"evictions_total", "contents evicted from the store", true},
      {"evicted_bytes_total", "their bytes", true},
      {"eviction_passes_total", "times that room was made", true},
      {"images_let_go_total", "images dropped from memory for others", true},
      {"damaged_contents_total", "contents found damaged on the disk, and dropped", true},
      {"connections_total", "connections accepted", true},
      {"connections_refused_total", "connections beyond the limit", true},
      {"requests_total", "requests received", true},
      {"errors_total", "requests answered with an error", true},
  };
  return all;
}

std::vector<std::uint64_t> metrics_of(const Store& store, const Service& service,
                                      const Gauges& gauges) {
  const Store::Stats s = store.stats();
  const Counters& c = service.counters();
  const auto [images, bytes] = service.ready();
  const Fetches::State fetches = service.fetches();
  return {gauges.uptime_seconds,
          s.data_bytes + s.index_bytes,
          store.disk_limit(),
          s.free_bytes,
          s.blocks,
          s.recipes,
          s.dropped_bytes,
          s.unsynced,
          gauges.tags,
          images,
          bytes,
          gauges.connections,
          fetches.in_flight,
          fetches.waiting,
          fetches.sharing,
          c.image_hits,
          c.image_misses,
          c.block_hits,
          c.block_misses,
          c.origin_bytes,
          c.origin_requests,
          c.fetches_shared,
          c.fetches_failed,
          c.evictions,
          c.evicted_bytes,
          c.eviction_passes,
          c.images_let_go,
          c.damaged_contents,
          c.connections,
          c.connections_refused,
          c.requests,
          c.errors};
}

std::string encode_metrics(std::span<const std::uint64_t> values) {
  std::string text;
  for (std::size_t i = 0; i < values.size(); ++i)
    text += std::string(metric_kinds()[i].name) + ' ' + std::to_string(values[i]) + '\n';
  return text;
}

std::vector<Metric> decode_metrics(std::span<const std::byte> text, const std::string& where) {
  std::string_view rest(reinterpret_cast<const char*>(text.data()), text.size());
  std::vector<Metric> all;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n'), gap = rest.find(' ');
    Metric metric;
    bool good = end != std::string_view::npos && gap < end && all.size() < kMostLines;
    if (good) {
      metric.name = rest.substr(0, gap);
      const char* const last = rest.data() + end;
      const auto [stop, error] = std::from_chars(rest.data() + gap + 1, last, metric.value);
      good = is_name(metric.name) && error == std::errc() && stop == last;
    }
    if (!good) throw RunError(where + ": malformed answer");
    all.push_back(std::move(metric));
    rest.remove_prefix(end + 1);
  }
  return all;
}

}  // namespace missive::cache
