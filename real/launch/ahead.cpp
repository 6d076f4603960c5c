#include "real/launch/ahead.h"

#include <algorithm>

namespace missive::launch {

namespace {

using Kind = zar::EntryKind;

std::optional<std::uint32_t> resolve(const ImageTree& tree, std::uint32_t at, int& links_left) {
  const auto& entries = tree.image().entries();
  if (entries[at].kind != Kind::symlink) return at;
  if (links_left-- == 0) return std::nullopt;
  const auto content = tree.image().content(entries[at]);
  const std::string_view target(reinterpret_cast<const char*>(content.data()), content.size());
  std::uint32_t walk = target.starts_with('/') ? 0 : tree.parent(at);
  for (std::size_t from = 0; from < target.size();) {
    const std::size_t end = std::min(target.find('/', from), target.size());
    const std::string_view part = target.substr(from, end - from);
    from = end + 1;
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      walk = tree.parent(walk);
      continue;
    }
    const auto child = tree.child(walk, part);
    if (!child) return std::nullopt;
    const auto next = resolve(tree, *child, links_left);
    if (!next) return std::nullopt;
    walk = *next;
  }
  return walk;
}

}  // namespace

std::optional<std::uint32_t> resolve_link(const ImageTree& tree, std::uint32_t link) {
  int links_left = 40;
  return resolve(tree, link, links_left);
}

Ways plan_ways(const ImageTree& tree) {
  const auto& entries = tree.image().entries();
  Ways ways;
  std::vector<bool> wanted(entries.size(), false);
  const auto want = [&](std::uint32_t at) {
    for (; !wanted[at]; at = tree.parent(at)) wanted[at] = true;
  };
  if (!tree.image().launch_runs().empty()) want(0);
  for (const zar::LaunchRun& run : tree.image().launch_runs()) want(run.entry);

  std::vector<LinkAhead> all;
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    if (entries[i].kind != Kind::symlink) continue;
    if (const auto end = resolve_link(tree, i)) all.push_back({i, *end});
  }
  // Links to wanted files count wherever they are (/etc/fonts/conf.d); links to directories only
  // where the way leads past them.
  for (const LinkAhead& each : all) {
    if (entries[each.end].kind == Kind::file && wanted[each.end]) want(tree.parent(each.link));
  }
  for (const LinkAhead& each : all) {
    if (wanted[each.end] && wanted[tree.parent(each.link)]) ways.links.push_back(each);
  }
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    if (wanted[i] && entries[i].kind == Kind::directory) ways.directories.push_back(i);
  }
  return ways;
}

Ahead plan_ahead(const ImageTree& tree) {
  Ahead ahead{plan_ways(tree), coalesced_runs(tree.image()), {}};
  std::vector<std::uint32_t> position(tree.image().entries().size(), 0);
  for (std::uint32_t i = 0; i < ahead.ways.directories.size(); ++i)
    position[ahead.ways.directories[i]] = i;
  const auto place = [&](const CoalescedRun& run) { return position[tree.parent(run.entry)]; };
  std::stable_sort(
      ahead.runs.begin(), ahead.runs.end(),
      [&](const CoalescedRun& a, const CoalescedRun& b) { return place(a) < place(b); });
  for (const CoalescedRun& run : ahead.runs) ahead.listed_before.push_back(place(run) + 1);
  return ahead;
}

std::uint64_t entries_listed(const ImageTree& tree, const Ways& ways) {
  std::uint64_t entries = 0;
  for (const std::uint32_t directory : ways.directories) entries += tree.children(directory).size();
  return entries;
}

}  // namespace missive::launch
