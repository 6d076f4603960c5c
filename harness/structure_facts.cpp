#include "harness/structure_facts.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <span>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "models/structure_layout.h"
#include "real/zar/plan_counts.h"
#include "real/zar/wire.h"

namespace missive::harness {

namespace {

std::uint64_t number_of(const zar::Digest& digest) {
  return zar::load_le<std::uint64_t>(digest.bytes, 0);
}

std::vector<EntryFact> index_of(const StructureTree& tree) {
  std::vector<EntryFact> index;
  const auto number = [](const std::string& text) { return std::hash<std::string>{}(text); };
  for (const zar::PlannedEntry& e : zar::planned_entries(tree.root, tree.selection)) {
    EntryFact& fact = index.emplace_back();
    fact.name = structure::mixed(number(e.path), number(e.target));
    fact.stamp = structure::mixed(structure::mixed(e.mode, e.kind),
                                  structure::mixed(static_cast<std::uint64_t>(e.mtime_ns), e.size));
    fact.texts = static_cast<std::uint32_t>(e.path.size() + e.target.size());
    fact.file = e.content;
  }
  return index;
}

// When each file of the tree was made, by path.
std::unordered_map<std::string, std::int64_t> times_of(const StructureTree& tree) {
  std::unordered_map<std::string, std::int64_t> times;
  for (const zar::PlannedEntry& e : zar::planned_entries(tree.root, tree.selection))
    times.emplace(e.path, e.mtime_ns);
  return times;
}

std::string read_whole(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

constexpr std::size_t kPage = 4096;

std::vector<std::uint64_t> page_digests(std::string text) {
  std::vector<std::uint64_t> digests;
  text.resize((text.size() + kPage - 1) / kPage * kPage);
  for (std::size_t page = 0; page < text.size(); page += kPage) {
    const std::string_view bytes = std::string_view(text).substr(page, kPage);
    const bool zeros = bytes.find_first_not_of('\0') == std::string_view::npos;
    digests.push_back(zeros ? 0 : number_of(zar::sha256(std::as_bytes(std::span(bytes)))));
  }
  return digests;
}

// Where else an older file has the pages of a newer one.
class MovedPages {
 public:
  explicit MovedPages(const std::vector<std::uint64_t>& before) {
    for (std::size_t page = 0; page < before.size(); ++page)
      if (before[page] != 0) places_[before[page]].push_back(static_cast<std::int32_t>(page));
  }
  // As far as its neighbour, if that will do, or else to the nearest place; 0: nowhere.
  std::int32_t by(std::size_t page, std::uint64_t digest,
                  const std::vector<std::int32_t>& so_far) const {
    const auto found = places_.find(digest);
    if (found == places_.end()) return 0;
    std::int32_t nearest = 0;
    for (const std::int32_t place : found->second) {
      const std::int32_t by = place - static_cast<std::int32_t>(page);
      if (!so_far.empty() && by == so_far.back() && by != 0) return by;
      if (nearest == 0 || std::abs(by) < std::abs(nearest)) nearest = by;
    }
    return nearest;
  }

 private:
  std::unordered_map<std::uint64_t, std::vector<std::int32_t>> places_;
};

}  // namespace

void DigestHashes::add(const zar::Digest& digest) { digests_.emplace(number_of(digest), digest); }

std::optional<std::uint64_t> DigestHashes::order(std::uint64_t content) const {
  const auto at = digests_.find(content);
  if (at == digests_.end()) return std::nullopt;
  std::uint64_t number = 0;  // as bytes compare: the first one counts most
  for (std::size_t i = 0; i < sizeof number; ++i)
    number = number << 8U | std::to_integer<std::uint64_t>(at->second.bytes[i]);
  return number;
}

std::optional<std::uint64_t> DigestHashes::wish(std::uint64_t content, unsigned attempt) const {
  const auto at = digests_.find(content);
  if (at == digests_.end()) return std::nullopt;
  std::array<std::byte, sizeof(zar::Digest) + 1> message{};
  std::copy(at->second.bytes.begin(), at->second.bytes.end(), message.begin());
  message.back() = static_cast<std::byte>(attempt);
  return number_of(zar::sha256(message));
}

StructureFacts structure_facts(const StructureTree& to, const StructureTree* from,
                               DigestHashes* digests) {
  const zar::PlanCounts counts = zar::count_plan(to.root, to.selection, {});
  StructureFacts f;
  f.entries = counts.entries, f.strings = counts.strings, f.extras = counts.extras;
  f.extents = counts.extents, f.absent = counts.absent, f.runs = counts.runs;
  if (digests != nullptr) {
    f.index = index_of(to);
    if (const auto bundle = zar::planned_bundle(to.root, to.selection)) {
      f.bundle = number_of(*bundle);
      digests->add(*bundle);
    }
  }
  std::unordered_set<std::uint64_t> held;
  std::unordered_map<std::string, const zar::PlannedContent*> old;
  std::vector<zar::PlannedContent> before;
  std::unordered_map<std::string, std::int64_t> made, made_before;
  if (from != nullptr) {
    before = zar::planned_contents(from->root, from->selection, true);
    made = times_of(to), made_before = times_of(*from);
  }
  for (const zar::PlannedContent& c : before) {
    held.insert(number_of(c.digest));
    old.emplace(c.path, &c);
  }
  std::unordered_map<std::string, std::uint32_t> directories;
  for (const auto& c : zar::planned_contents(to.root, to.selection, digests != nullptr)) {
    FileFact& file = f.files.emplace_back();
    if (digests != nullptr) digests->add(c.digest);
    file.size = c.size, file.rank = c.rank, file.touched = c.touched;
    file.content = digests != nullptr ? number_of(c.digest) : f.files.size();
    file.directory = directories
                         .emplace(c.path.substr(0, c.path.rfind('/')),
                                  static_cast<std::uint32_t>(directories.size()))
                         .first->second;
    const auto at = old.find(c.path);
    if (held.contains(file.content))
      file.change = FileChange::same;
    else if (at != old.end())
      file.change = FileChange::changed, file.old_size = at->second->size,
      file.old_content = number_of(at->second->digest),
      file.build = structure::mixed(static_cast<std::uint64_t>(made_before.at(c.path)),
                                    static_cast<std::uint64_t>(made.at(c.path)));
  }
  return f;
}

HeldPages held_pages(const StructureTree& tree) {
  HeldPages held;
  for (const auto& c : zar::planned_contents(tree.root, tree.selection, true)) {
    if (c.size < kPage) continue;
    const auto [at, fresh] = held.try_emplace(number_of(c.digest));
    if (fresh) at->second = page_digests(read_whole(tree.root.string() + c.path));
  }
  return held;
}

std::vector<EditProfile> edit_profiles(const StructureTree& from, const StructureTree& to,
                                       const StructureFacts& facts) {
  std::map<std::uint64_t, EditProfile> found;  // equal contents once
  const auto kinds = edit_kinds(facts);
  const auto made = times_of(to), made_before = times_of(from);
  std::unordered_map<std::string, zar::PlannedContent> old;
  for (auto& c : zar::planned_contents(from.root, from.selection, true)) old.emplace(c.path, c);
  for (const auto& c : zar::planned_contents(to.root, to.selection, true)) {
    const auto at = old.find(c.path);
    if (at == old.end() || at->second.digest == c.digest || c.size < kPage) continue;
    const std::string a = read_whole(from.root.string() + c.path);
    const std::string b = read_whole(to.root.string() + c.path);
    EditProfile p;
    p.content = number_of(c.digest), p.old_content = number_of(at->second.digest);
    // One that lies elsewhere, too, as it was: the facts have it as unchanged.
    const auto kind = kinds.find(p.content);
    p.build = structure::mixed(static_cast<std::uint64_t>(made_before.at(c.path)),
                               static_cast<std::uint64_t>(made.at(c.path)));
    p.kind = kind != kinds.end()    ? kind->second
             : a.size() != b.size() ? EditKind::resized
                                    : EditKind::same;
    const std::vector<std::uint64_t> before = page_digests(a), after = page_digests(b);
    const std::vector<bool> zeros = zeros_after(before, after.size());
    const MovedPages moved(before);
    for (std::size_t page = 0; page < after.size(); ++page) {
      if (zeros[page]) continue;
      const std::size_t here = page * kPage;
      p.kept.push_back(here < a.size() && b.compare(here, kPage, a, here, kPage) == 0);
      p.moved.push_back(p.kept.back() ? 0 : moved.by(page, after[page], p.moved));
    }
    if (std::all_of(p.moved.begin(), p.moved.end(), [](auto by) { return by == 0; }))
      p.moved.clear();
    if (!p.kept.empty()) found.emplace(p.content, std::move(p));
  }
  std::vector<EditProfile> profiles;
  for (auto& [content, p] : found) profiles.push_back(std::move(p));
  return profiles;
}

}  // namespace missive::harness
