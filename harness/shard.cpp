#include "harness/shard.h"

#include <charconv>

#include <fmt/format.h>

#include "harness/experiment_kind.h"

namespace missive::harness {

Shard parse_shard(const std::string& text) {
  Shard shard;
  const char* const end = text.data() + text.size();
  const auto index = std::from_chars(text.data(), end, shard.index);
  const bool slash = index.ec == std::errc{} && index.ptr != end && *index.ptr == '/';
  const auto of = std::from_chars(slash ? index.ptr + 1 : end, end, shard.of);
  if (!slash || of.ec != std::errc{} || of.ptr != end || shard.index < 1 || shard.index > shard.of)
    throw InputError(fmt::format(
        "--shard {}: is no I/N; give the shard and how many there are, counted from 1: 1/4 to 4/4",
        text));
  return shard;
}

void keep_points(Experiment& e, const std::vector<std::size_t>& places) {
  const ExperimentKind& kind = experiment_kind(e.kind);
  if (kind.keep == nullptr)
    throw InputError(fmt::format(
        "{}: experiments of kind '{}' cannot be run in parts; leave out --shard and --resume",
        e.file, e.kind));
  kind.keep(e, places);
  std::vector<ExperimentPoint> kept;
  kept.reserve(places.size());
  for (const std::size_t place : places) kept.push_back(e.grid.at(place));
  e.grid = std::move(kept);
}

void keep_shard(Experiment& e, const Shard& shard) {
  if (shard.of > e.grid.size())
    throw InputError(
        fmt::format("--shard {}/{}: the experiment has only {} points; use fewer "
                    "shards, or some would be empty",
                    shard.index, shard.of, e.grid.size()));
  std::vector<std::size_t> places;
  for (std::size_t i = shard.index - 1; i < e.grid.size(); i += shard.of) places.push_back(i);
  keep_points(e, places);
}

}  // namespace missive::harness
