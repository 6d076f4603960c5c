#include "real/zar/plan.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "models/error.h"
#include "real/zar/layout.h"
#include "real/zar/metadata.h"
#include "real/zar/parallel.h"
#include "real/zar/wire.h"

namespace missive::zar {

TreeShape shape_of(const BuildOptions& options, std::uint64_t length) {
  TreeShape shape;
  shape.length = length;
  shape.block_size = options.block_size;
  shape.degree = options.degree;
  shape.units = choose(unit_choices(), "units", options.units).kind;
  if (options.tree != "plain" && options.tree != "fs-verity")
    throw InputError("tree \"" + options.tree + "\": unknown; known are plain, fs-verity");
  shape.tree = options.tree == "plain" ? TreeKind::plain : TreeKind::fs_verity;
  return shape;
}

void check(const BuildOptions& options) {
  check(shape_of(options, options.block_size), "image options");
  choose(packings(), "packing", options.packing);
  choose(placements(), "placement", options.placement);
  if (options.units == kUnitCdc.name) check(options.chunking, "image options");
}

namespace {

constexpr std::size_t kBatch = 256;  // entries a thread takes at once

void describe_chosen(Tree& tree, unsigned threads) {
  auto& entries = tree.entries();
  in_parallel(threads, (entries.size() + kBatch - 1) / kBatch, [&](std::size_t batch) {
    const std::size_t end = std::min(entries.size(), (batch + 1) * kBatch);
    for (std::size_t i = batch * kBatch; i < end; ++i)
      if (entries[i].chosen) tree.describe(entries[i]);
  });
}

std::size_t find_selected(const Tree& tree, const std::string& path) {
  if (path.empty() || path.front() != '/')
    throw InputError("selected file \"" + path + "\": not an absolute path within the tree");
  return tree.resolve_file(path).value_or(tree.entries().size());
}

void mark_chosen(Tree& tree, const Selection& selection, std::vector<std::string>& missing) {
  for (const std::string& path : selection.files) {
    if (const std::size_t at = find_selected(tree, path); at < tree.entries().size())
      tree.entries()[at].chosen = true;
    else
      missing.push_back(path);
  }
  if (selection.files.empty())
    for (TreeEntry& e : tree.entries()) e.chosen = e.kind == EntryKind::file;
}

void choose_runs(const Tree& tree, const Selection& selection, Plan& plan) {
  for (const Selection::Run& run : selection.runs) {
    const std::size_t at = find_selected(tree, run.path);
    if (at == tree.entries().size()) continue;  // listed in `missing` when it was selected
    const TreeEntry& file = tree.entries()[at];
    if (!file.chosen)
      throw InputError("launch run of \"" + run.path + "\": the file is not among those selected");
    // The file may be another version than the one traced: what it has of the run counts.
    const std::uint64_t pages = align_up(file.size, kPage) / kPage;
    if (run.first_page >= pages || run.pages == 0) continue;
    Selection::Run clipped = run;
    if (pages - run.first_page < run.pages)
      clipped.pages = static_cast<std::uint32_t>(pages - run.first_page);
    plan.runs.emplace_back(at, clipped);
  }
}

void choose_absent(const Tree& tree, const Selection& selection, Plan& plan) {
  for (const std::string& path : selection.absent) {
    if (!is_image_path(path))
      throw InputError("absent name \"" + path + "\": not an absolute, normalised path");
    const std::string_view text = path;
    const std::size_t slash = text.rfind('/');
    const auto parent = tree.find(slash == 0 ? "/" : text.substr(0, slash));
    if (!tree.find(text) && parent && tree.entries()[*parent].kind == EntryKind::directory)
      plan.absent.push_back(text);
  }
  std::sort(plan.absent.begin(), plan.absent.end());
  plan.absent.erase(std::unique(plan.absent.begin(), plan.absent.end()), plan.absent.end());
}

PlannedExtra& extra_of(TreeEntry& entry, Plan& plan) {
  if (entry.extra == 0) {
    plan.extras.emplace_back();
    entry.extra = static_cast<std::uint32_t>(plan.extras.size());
  }
  return plan.extras[entry.extra - 1];
}

void collect_attributes(Tree& tree, unsigned threads, Plan& plan) {
  std::vector<std::vector<std::pair<std::uint32_t, Attributes>>> found(
      (plan.order.size() + kBatch - 1) / kBatch);
  in_parallel(threads, found.size(), [&](std::size_t batch) {
    const std::size_t end = std::min(plan.order.size(), (batch + 1) * kBatch);
    for (std::size_t i = batch * kBatch; i < end; ++i) {
      const TreeEntry& e = tree.entries()[plan.order[i]];
      // Links cannot have any (xattr(7)); standard directories that were added are not there.
      if (e.kind == EntryKind::symlink || (e.inode == 0 && e.path() != "/")) continue;
      if (Attributes a = tree.attributes(e); !a.empty())
        found[batch].emplace_back(plan.order[i], std::move(a));
    }
  });
  for (auto& batch : found)
    for (auto& [entry, attributes] : batch)
      extra_of(tree.entries()[entry], plan).attributes = std::move(attributes);
}

// Pages of the start, as sorted stretches that do not touch.
std::vector<Stretch> touched(const TreeEntry& file, std::vector<Stretch> pages) {
  std::sort(pages.begin(), pages.end(),
            [](const Stretch& a, const Stretch& b) { return a.offset < b.offset; });
  std::vector<Stretch> merged;
  for (const Stretch& s : pages) {
    const std::uint64_t end = std::min(s.end(), file.size);
    if (!merged.empty() && s.offset <= merged.back().end())
      merged.back().length = std::max(merged.back().end(), end) - merged.back().offset;
    else
      merged.push_back({s.offset, end - s.offset});
  }
  return merged;
}

// The first of a file's names.
std::size_t first_name(const Tree& tree, const Plan& plan, std::size_t entry) {
  const std::uint32_t extra = tree.entries()[entry].extra;
  return extra != 0 && plan.extras[extra - 1].linked ? plan.extras[extra - 1].link : entry;
}

void mark_touched(Tree& tree, Plan& plan) {
  std::map<std::size_t, std::vector<Stretch>> pages;
  for (const auto& [file, run] : plan.runs)
    pages[first_name(tree, plan, file)].push_back(
        {std::uint64_t{run.first_page} * kPage, std::uint64_t{run.pages} * kPage});
  for (const std::uint32_t i : plan.order) {
    TreeEntry& e = tree.entries()[i];
    if (e.kind != EntryKind::file || e.size == 0 || first_name(tree, plan, i) != i) continue;
    auto kept = touched(e, std::move(pages[i]));
    if (kept.size() == 1 && kept[0].length == e.size) continue;
    PlannedExtra& extra = extra_of(e, plan);
    extra.in_extents = extra.partial = true;
    extra.stretches = std::move(kept);
  }
}

void mark_sparse(Tree& tree, Plan& plan) {
  for (const std::uint32_t i : plan.order) {
    TreeEntry& e = tree.entries()[i];
    if (e.kind != EntryKind::file || !e.sparse || first_name(tree, plan, i) != i) continue;
    auto runs = tree.data_runs(e);
    if (runs.size() == 1 && runs[0].length == e.size) continue;
    PlannedExtra& extra = extra_of(e, plan);
    if (extra.partial) continue;  // the start says what is stored, holes or not
    extra.in_extents = true;
    extra.stretches = std::move(runs);
  }
}

// Names of one file that were all chosen form a group; one alone is an ordinary file.
void mark_links(Tree& tree, Plan& plan) {
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint32_t> first;
  for (const std::uint32_t i : plan.order) {
    TreeEntry& e = tree.entries()[i];
    if (e.kind != EntryKind::file || !e.linked) continue;
    const auto [known, fresh] = first.try_emplace({e.device, e.inode}, i);
    if (fresh) continue;
    TreeEntry& f = tree.entries()[known->second];
    PlannedExtra& extra = extra_of(f, plan);
    extra.linked = true;
    extra.link = known->second;
    e.extra = f.extra;  // one record for all names: they agree in everything
  }
}

void collect_contents(const Tree& tree, Plan& plan) {
  std::vector<std::uint32_t> ranks;
  if (!plan.runs.empty()) {
    ranks.assign(tree.entries().size(), kNever);
    for (std::size_t r = plan.runs.size(); r-- > 0;)
      ranks[first_name(tree, plan, plan.runs[r].first)] = static_cast<std::uint32_t>(r);
  }
  const auto add = [&](std::uint32_t file, const Stretch& s) {
    const TreeEntry& e = tree.entries()[file];
    plan.contents.push_back({e.path(), s.length, ranks.empty() ? kNever : ranks[file]});
    plan.sources.push_back({file, s.offset});
    plan.content_bytes += s.length;
  };
  for (const std::uint32_t i : plan.order) {
    const TreeEntry& e = tree.entries()[i];
    if (e.kind != EntryKind::file || e.size == 0) continue;
    if (first_name(tree, plan, i) != i) continue;
    PlannedExtra* const extra = e.extra == 0 ? nullptr : &plan.extras[e.extra - 1];
    if (extra == nullptr || !extra->in_extents) {
      add(i, {0, e.size});
      continue;
    }
    extra->first_content = static_cast<std::uint32_t>(plan.contents.size());
    for (const Stretch& s : extra->stretches) add(i, s);
  }
}

}  // namespace

Plan choose(Tree& tree, const Selection& selection, const BuildOptions& options,
            std::vector<std::string>& missing) {
  const unsigned threads = thread_count(options.threads);
  Plan plan;
  mark_chosen(tree, selection, missing);
  describe_chosen(tree, threads);
  for (std::uint32_t i = 0; i < tree.entries().size(); ++i)
    if (tree.entries()[i].kind != EntryKind::file || tree.entries()[i].chosen)
      plan.order.push_back(i);
  choose_runs(tree, selection, plan);
  choose_absent(tree, selection, plan);
  collect_attributes(tree, threads, plan);
  mark_links(tree, plan);
  if (selection.touched_only) mark_touched(tree, plan);
  if (options.holes) mark_sparse(tree, plan);
  collect_contents(tree, plan);
  plan.packed =
      choose(packings(), "packing", options.packing).pack(plan.contents, options.block_size);
  return plan;
}

namespace {

std::vector<Digest> salted(std::vector<Digest> digests, std::uint64_t salt) {
  if (salt == 0) return digests;
  for (Digest& d : digests) {
    FieldWriter b;
    b.put_bytes(d.bytes).put<std::uint64_t>(salt);
    d = sha256(b.bytes());
  }
  return digests;
}

}  // namespace

void lay_out(const Tree& tree, const BuildOptions& options, Plan& plan) {
  const std::vector<Digest> digests = salted(plan.digests, options.hash_salt);
  plan.metadata_bytes = metadata_sections(tree, options, plan).total;
  plan.content_start = align_up(plan.metadata_bytes, options.block_size);
  plan.placed =
      choose(placements(), "placement", options.placement)
          .place({plan.packed, plan.contents, digests, plan.content_start, options.block_size});
  plan.offsets.resize(plan.contents.size());
  for (std::size_t i = 0; i < plan.packed.items.size(); ++i)
    for (const Packed::Member& m : plan.packed.of(plan.packed.items[i]))
      plan.offsets[m.content] = plan.placed.offsets[i] + m.offset;
  plan.by_offset.resize(plan.contents.size());
  std::iota(plan.by_offset.begin(), plan.by_offset.end(), 0U);
  std::sort(plan.by_offset.begin(), plan.by_offset.end(),
            [&](std::uint32_t a, std::uint32_t b) { return plan.offsets[a] < plan.offsets[b]; });
  plan.end = align_up(std::max(plan.placed.end, plan.content_start), options.block_size);
}

std::uint32_t content_of(const Plan& plan, const Tree& tree, std::size_t entry) {
  const TreeEntry& e = tree.entries()[entry];
  if (e.kind != EntryKind::file || e.size == 0) return kNever;
  if (e.extra != 0 && plan.extras[e.extra - 1].in_extents) return kNever;
  entry = first_name(tree, plan, entry);
  const auto at =
      std::lower_bound(plan.sources.begin(), plan.sources.end(), entry,
                       [](const Plan::Source& s, std::size_t file) { return s.file < file; });
  return static_cast<std::uint32_t>(at - plan.sources.begin());
}

}  // namespace missive::zar
