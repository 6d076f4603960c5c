#include "real/zar/plan_counts.h"

#include <algorithm>
#include <set>

#include "real/zar/content_writer.h"
#include "real/zar/layout.h"
#include "real/zar/metadata.h"

namespace missive::zar {

namespace {

struct Planned {
  Planned(const std::filesystem::path& root, const Selection& selection, BuildOptions options)
      : tree(root) {
    options.holes = false;
    check(options);
    std::vector<std::string> missing;
    plan = choose(tree, selection, options, missing);
    if (choose(placements(), "placement", options.placement).wants_digests)
      plan.digests = item_digests(tree, options, plan);
    lay_out(tree, options, plan);
  }
  Tree tree;
  Plan plan;
};

}  // namespace

PlanCounts count_plan(const std::filesystem::path& tree, const Selection& selection,
                      const BuildOptions& options) {
  const Planned planned(tree, selection, options);
  const Plan& plan = planned.plan;
  const MetadataSections sections = metadata_sections(planned.tree, options, plan);
  PlanCounts c;
  c.content = plan.content_bytes;
  c.metadata = plan.metadata_bytes;
  c.image = plan.end;
  c.padding = plan.end - c.content - c.metadata;
  c.items = plan.packed.items.size();
  c.scrap_items = plan.placed.scrap_items;
  c.scrap_bytes = plan.placed.scrap_bytes;
  c.entries = plan.order.size();
  c.strings = sections.length[1];
  c.extras = sections.length[2] / kExtraRecord;
  c.extents = sections.length[3] / kExtentRecord;
  c.absent = plan.absent.size();
  c.runs = plan.runs.size();
  std::set<std::uint64_t> blocks;
  for (const auto& [file, run] : plan.runs) {
    const std::uint32_t content = content_of(plan, planned.tree, file);
    if (content == kNever) continue;
    const std::uint64_t size = plan.contents[content].size, at = plan.offsets[content];
    const std::uint64_t from = std::uint64_t{run.first_page} * kPage;
    const std::uint64_t to = std::min(from + std::uint64_t{run.pages} * kPage, size);
    for (std::uint64_t byte = from; byte < to; byte += kPage)
      blocks.insert((at + byte) / options.block_size);
  }
  c.start_blocks.assign(blocks.begin(), blocks.end());
  return c;
}

std::vector<PlannedContent> planned_contents(const std::filesystem::path& tree,
                                             const Selection& selection, bool digests) {
  BuildOptions options;
  options.packing = kPackingPage.name;  // each content an item of its own, in the same order
  const Planned planned(tree, selection, options);
  const Plan& plan = planned.plan;
  std::vector<PlannedContent> all;
  std::vector<std::set<std::uint32_t>> pages(plan.contents.size());
  for (const auto& [file, run] : plan.runs)
    if (const std::uint32_t c = content_of(plan, planned.tree, file); c != kNever)
      for (std::uint32_t page = 0; page < run.pages; ++page) pages[c].insert(run.first_page + page);
  const std::vector<Digest> hashes =
      digests ? item_digests(planned.tree, options, plan) : std::vector<Digest>(pages.size());
  for (std::size_t i = 0; i < plan.contents.size(); ++i) {
    const Content& content = plan.contents[i];
    PlannedContent& p = all.emplace_back();
    p.path = content.path;
    p.size = content.size;
    p.rank = content.rank;
    p.digest = hashes[i];
    for (const std::uint32_t page : pages[i])
      if (!p.touched.empty() && p.touched.back().first + p.touched.back().second == page)
        ++p.touched.back().second;
      else
        p.touched.emplace_back(page, 1);
  }
  return all;
}

std::optional<Digest> planned_bundle(const std::filesystem::path& tree,
                                     const Selection& selection) {
  BuildOptions options;
  options.packing = kPackingPath.name;
  Planned planned(tree, selection, options);
  auto& items = planned.plan.packed.items;
  if (items.empty() || !items.front().small) return std::nullopt;
  items.resize(1);  // the rest is of one content each
  return item_digests(planned.tree, options, planned.plan).front();
}

std::vector<PlannedEntry> planned_entries(const std::filesystem::path& tree,
                                          const Selection& selection) {
  BuildOptions options;
  options.packing = kPackingPage.name;
  const Planned planned(tree, selection, options);
  std::vector<PlannedEntry> all;
  for (const std::uint32_t i : planned.plan.order) {
    const TreeEntry& e = planned.tree.entries()[i];
    PlannedEntry& p = all.emplace_back();
    p.path = e.path(), p.target = e.target();
    p.size = e.size, p.mtime_ns = e.mtime_ns;
    p.mode = e.mode, p.kind = static_cast<std::uint32_t>(e.kind);
    if (e.size > 0) p.content = content_of(planned.plan, planned.tree, i);
  }
  return all;
}

std::uint64_t partial_proof_digests(const std::vector<std::uint64_t>& leaves, std::uint64_t all,
                                    std::uint32_t degree) {
  std::uint64_t digests = 0;
  std::vector<std::uint64_t> known = leaves;
  for (std::uint64_t nodes = all; nodes > 1 && !known.empty();
       nodes = (nodes + degree - 1) / degree) {
    std::vector<std::uint64_t> parents;
    for (const std::uint64_t node : known)
      if (parents.empty() || parents.back() != node / degree) parents.push_back(node / degree);
    for (const std::uint64_t parent : parents)
      digests += std::min<std::uint64_t>(degree, nodes - parent * degree);
    digests -= known.size();
    known = std::move(parents);
  }
  return digests;
}

}  // namespace missive::zar
