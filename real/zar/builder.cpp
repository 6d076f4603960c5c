#include "real/zar/builder.h"

#include <cerrno>
#include <map>
#include <numeric>
#include <unordered_map>
#include <utility>

#include <unistd.h>

#include "models/error.h"
#include "real/zar/layout.h"
#include "real/zar/output_file.h"
#include "real/zar/scan.h"
#include "real/zar/wire.h"

// Placement, in three areas behind the metadata, each in path order:
//
//   files below a page, sharing pages; files below a block, on pages; all others, on blocks.
//
// Path order and not the order of the traced start, because files of one package lie side by side
// and change together, and because a new trace of the same files then moves no content: only the
// metadata blocks change. Content begins on a block boundary for the same reason. Small files come
// first: they are what a start looks up most, and they fit into few pages.

namespace missive::zar {

namespace {

constexpr std::size_t kBuffer = 1 << 20;  // fits the second-level cache: read, hashed, written

struct Placed {
  std::size_t file = 0;  // index into the tree's entries
  std::uint64_t offset = 0;
};

struct Plan {
  std::vector<std::size_t> order;      // entries of the image: tree indices, path order
  std::vector<std::uint64_t> offsets;  // of each tree entry's content
  std::vector<Placed> content;         // by offset; one for all hard links to a file
  std::vector<std::byte> metadata;     // header, index, strings, runs
  std::uint64_t content_start = 0, end = 0, content_bytes = 0;
};

void check(const BuildOptions& options) {
  check(TreeShape{options.block_size, options.block_size, options.degree}, "image options");
}

// Marks the selected files; returns those the tree lacks, and the runs as (tree index, run).
using Runs = std::vector<std::pair<std::size_t, Selection::Run>>;
Runs choose(Tree& tree, const Selection& selection, std::vector<std::string>& missing) {
  const auto find = [&](const std::string& path) {
    if (path.empty() || path.front() != '/')
      throw InputError("selected file \"" + path + "\": not an absolute path within the tree");
    return tree.resolve_file(path);
  };
  for (const std::string& path : selection.files) {
    if (const auto at = find(path))
      tree.entries()[*at].chosen = true;
    else
      missing.push_back(path);
  }
  if (selection.files.empty())
    for (TreeEntry& e : tree.entries()) e.chosen = e.kind == EntryKind::file;
  for (TreeEntry& e : tree.entries())
    if (e.chosen) tree.describe(e);

  Runs runs;
  for (const Selection::Run& run : selection.runs) {
    const auto at = find(run.path);
    if (!at) continue;  // listed in `missing` when it was selected
    const TreeEntry& file = tree.entries()[*at];
    if (!file.chosen)
      throw InputError("launch run of \"" + run.path + "\": the file is not among those selected");
    // The file may be another version than the one traced: what it has of the run counts.
    const std::uint64_t pages = align_up(file.size, kPage) / kPage;
    if (run.first_page >= pages || run.pages == 0) continue;
    Selection::Run clipped = run;
    if (pages - run.first_page < run.pages)
      clipped.pages = static_cast<std::uint32_t>(pages - run.first_page);
    runs.emplace_back(*at, clipped);
  }
  return runs;
}

// Hands out offsets and remembers where each inode's content went.
class Placer {
 public:
  Placer(const Tree& tree, Plan& plan) : tree_(tree), plan_(plan), at_(plan.content_start) {}

  template <typename Align>
  void place(std::size_t file, const Align& align) {
    const TreeEntry& e = tree_.entries()[file];
    const auto [known, fresh] = inodes_.try_emplace({e.device, e.inode}, 0);
    if (fresh) {
      at_ = align(at_, e.size);
      known->second = at_;
      plan_.content.push_back({file, at_});
      at_ += e.size;
      plan_.content_bytes += e.size;
    }
    plan_.offsets[file] = known->second;
  }
  std::uint64_t at() const { return at_; }

 private:
  const Tree& tree_;
  Plan& plan_;
  std::uint64_t at_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::uint64_t> inodes_;
};

void place_files(const Tree& tree, const BuildOptions& options, Plan& plan) {
  Placer placer(tree, plan);
  const auto share_page = [&](std::uint64_t at, std::uint64_t size) {
    at = align_up(at, options.pack_small_files ? kPacked : kPage);
    return at % kPage + size > kPage ? align_up(at, kPage) : at;
  };
  const auto on_page = [](std::uint64_t at, std::uint64_t) { return align_up(at, kPage); };
  const auto on_block = [&](std::uint64_t at, std::uint64_t) {
    return align_up(at, options.block_size);
  };
  const auto place_between = [&](std::uint64_t low, std::uint64_t high, const auto& align) {
    for (const std::size_t i : plan.order) {
      const TreeEntry& e = tree.entries()[i];
      if (e.kind == EntryKind::file && e.size >= low && e.size < high) placer.place(i, align);
    }
  };
  place_between(1, kPage, share_page);
  place_between(kPage, options.block_size, on_page);
  place_between(std::max(kPage, options.block_size), ~std::uint64_t{0}, on_block);
  plan.end = align_up(placer.at(), options.block_size);
}

// Metadata needs the content's place and content starts after the metadata: sizes first, therefore.
struct Sizes {
  std::uint64_t strings = 0, index_at = kHeader, strings_at = 0, runs_at = 0, total = 0;
};

Sizes measure(const Tree& tree, const Plan& plan, std::size_t runs) {
  Sizes s;
  for (const std::size_t i : plan.order)
    s.strings += tree.entries()[i].path.size() + tree.entries()[i].target.size();
  if (s.strings > 0xffffffff) throw InputError("the tree's paths exceed 4 GiB; select fewer files");
  s.strings_at = s.index_at + plan.order.size() * kIndexRecord;
  s.runs_at = align_up(s.strings_at + s.strings, 8);
  s.total = s.runs_at + runs * kRunRecord;
  return s;
}

std::vector<std::byte> header(const Sizes& s, const Plan& plan, const BuildOptions& options) {
  FieldWriter b;
  b.put_text(kImageMagic).put<std::uint32_t>(kFormVersion).put<std::uint32_t>(kHeader);
  b.put<std::uint64_t>(plan.end);
  b.put<std::uint32_t>(options.block_size).put<std::uint32_t>(options.degree);
  b.put<std::uint32_t>(kHashSha256).put<std::uint32_t>(kSections);
  b.put<std::uint64_t>(options.pack_small_files ? kFeatureSharedPages : 0);
  b.put<std::uint64_t>(0).put<std::uint64_t>(0);
  const auto section = [&](Section id, std::uint32_t record, std::uint64_t at, std::uint64_t size) {
    b.put<std::uint32_t>(static_cast<std::uint32_t>(id)).put<std::uint32_t>(record);
    b.put<std::uint64_t>(at).put<std::uint64_t>(size);
  };
  section(Section::index, kIndexRecord, s.index_at, plan.order.size() * kIndexRecord);
  section(Section::strings, 1, s.strings_at, s.strings);
  section(Section::launch_runs, kRunRecord, s.runs_at, s.total - s.runs_at);
  section(Section::content, 1, plan.content_start, plan.end - plan.content_start);
  return b.take();
}

std::vector<std::byte> metadata(const Tree& tree, const Plan& plan, const Runs& runs,
                                const Sizes& s, const BuildOptions& options) {
  FieldWriter b;
  b.put_bytes(header(s, plan, options));
  std::string strings;
  strings.reserve(s.strings);
  std::unordered_map<std::size_t, std::uint32_t> image_index;
  for (const std::size_t i : plan.order) {
    const TreeEntry& e = tree.entries()[i];
    image_index.emplace(i, static_cast<std::uint32_t>(image_index.size()));
    b.put<std::uint32_t>(static_cast<std::uint32_t>(strings.size()));
    b.put<std::uint16_t>(static_cast<std::uint16_t>(e.path.size()));
    b.put<std::uint8_t>(static_cast<std::uint8_t>(e.kind)).put<std::uint8_t>(0);
    b.put<std::uint32_t>(e.mode).put<std::uint32_t>(0).put<std::int64_t>(e.mtime_ns);
    strings += e.path;
    const bool link = e.kind == EntryKind::symlink;
    b.put<std::uint64_t>(link ? e.target.size() : e.size);
    b.put<std::uint64_t>(link ? s.strings_at + strings.size() : plan.offsets[i]);
    strings += e.target;
  }
  b.put_text(strings).align(8);
  for (const auto& [file, run] : runs)
    b.put<std::uint32_t>(image_index.at(file))
        .put<std::uint32_t>(run.first_page)
        .put<std::uint32_t>(run.pages);
  return b.take();
}

Plan lay_out(const Tree& tree, const Runs& runs, const BuildOptions& options) {
  Plan plan;
  for (std::size_t i = 0; i < tree.entries().size(); ++i)
    if (tree.entries()[i].kind != EntryKind::file || tree.entries()[i].chosen)
      plan.order.push_back(i);
  plan.offsets.resize(tree.entries().size());
  const Sizes sizes = measure(tree, plan, runs.size());
  plan.content_start = align_up(sizes.total, options.block_size);
  place_files(tree, options, plan);
  plan.metadata = metadata(tree, plan, runs, sizes, options);
  return plan;
}

// The image as a stream: whatever is appended is hashed block by block while it is still in the
// processor's cache, and written in large pieces.
class BlockWriter {
 public:
  BlockWriter(OutputFile& out, const TreeShape& shape)
      : out_(out),
        block_size_(shape.block_size),
        buffer_(std::max<std::size_t>(kBuffer, shape.block_size)) {
    leaves_.reserve(shape.blocks());
  }
  std::uint64_t at() const { return written_ + used_; }
  // Where the next bytes may be read to; advance() says how many were.
  std::span<std::byte> room() { return std::span(buffer_).subspan(used_); }
  void advance(std::size_t count) {
    used_ += count;
    if (used_ == buffer_.size()) flush();
  }
  void put(std::span<const std::byte> data) {
    while (!data.empty()) {
      const std::size_t n = std::min(data.size(), room().size());
      std::copy_n(data.begin(), n, room().begin());
      data = data.subspan(n);
      advance(n);
    }
  }
  void pad_to(std::uint64_t offset) {
    while (at() < offset) {
      const auto n =
          static_cast<std::size_t>(std::min<std::uint64_t>(offset - at(), room().size()));
      std::fill_n(room().begin(), n, std::byte{0});
      advance(n);
    }
  }
  std::vector<Digest> finish() {
    flush();
    return std::move(leaves_);
  }

 private:
  void flush() {  // the buffer is whole blocks: block sizes divide its size
    const auto data = std::span<const std::byte>(buffer_).first(used_);
    for (std::size_t i = 0; i < data.size(); i += block_size_)
      leaves_.push_back(hasher_.hash(data.subspan(i, block_size_)));
    out_.write(data);
    written_ += used_;
    used_ = 0;
  }

  OutputFile& out_;
  std::size_t block_size_;
  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
  std::uint64_t written_ = 0;
  Hasher hasher_;
  std::vector<Digest> leaves_;
};

void copy_file(const Tree& tree, const TreeEntry& file, BlockWriter& writer) {
  const UniqueFd fd = tree.open(file);
  for (std::uint64_t left = file.size; left > 0;) {
    const auto room = writer.room();
    const ssize_t n = ::read(fd.get(), room.data(),
                             static_cast<std::size_t>(std::min<std::uint64_t>(left, room.size())));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("cannot read " + file.path);
    if (n == 0) throw RunError(file.path + ": became shorter while being packed; retry");
    writer.advance(static_cast<std::size_t>(n));
    left -= static_cast<std::uint64_t>(n);
  }
  tree.check_unchanged(file, fd.get());
}

}  // namespace

BuildReport build(const std::filesystem::path& tree_path, const Selection& selection,
                  const BuildOptions& options, const std::filesystem::path& output) {
  check(options);
  BuildReport report;
  Tree tree(tree_path);
  const Runs runs = choose(tree, selection, report.missing);
  const Plan plan = lay_out(tree, runs, options);
  report.recipe.shape = {plan.end, options.block_size, options.degree};
  check(report.recipe.shape, "image of " + tree_path.string());

  OutputFile out(output, 0644);
  BlockWriter writer(out, report.recipe.shape);
  writer.put(plan.metadata);
  for (const Placed& p : plan.content) {
    writer.pad_to(p.offset);
    copy_file(tree, tree.entries()[p.file], writer);
  }
  writer.pad_to(plan.end);
  report.recipe.leaves = writer.finish();
  out.commit();

  report.name = report.recipe.name();
  for (const std::size_t i : plan.order) {
    const EntryKind kind = tree.entries()[i].kind;
    ++(kind == EntryKind::file        ? report.files
       : kind == EntryKind::directory ? report.directories
                                      : report.symlinks);
  }
  report.content_bytes = plan.content_bytes;
  report.metadata_bytes = plan.metadata.size();
  report.padding_bytes = plan.end - plan.content_bytes - plan.metadata.size();
  return report;
}

}  // namespace missive::zar
