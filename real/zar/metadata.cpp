#include "real/zar/metadata.h"

#include <algorithm>
#include <limits>

#include "models/error.h"
#include "real/zar/wire.h"

namespace missive::zar {

namespace {

constexpr std::size_t kFlush = 1 << 18;

// Collects fields and passes them on in large portions.
class Stream {
 public:
  explicit Stream(const std::function<void(std::span<const std::byte>)>& sink) : sink_(sink) {}
  FieldWriter& fields() {
    if (fields_.size() >= kFlush) flush();
    return fields_;
  }
  void pad_to(std::uint64_t offset) {
    for (std::uint64_t left = offset - written_ - fields_.size(); left > 0; --left)
      fields_.put<std::uint8_t>(0);
  }
  void flush() {
    sink_(fields_.bytes());
    written_ += fields_.size();
    fields_ = FieldWriter();
  }

 private:
  const std::function<void(std::span<const std::byte>)>& sink_;
  FieldWriter fields_;
  std::uint64_t written_ = 0;
};

const PlannedExtra* extra_of(const TreeEntry& e, const Plan& plan) {
  return e.extra == 0 ? nullptr : &plan.extras[e.extra - 1];
}

bool in_extents(const TreeEntry& e, const Plan& plan) {
  const PlannedExtra* const extra = extra_of(e, plan);
  return extra != nullptr && extra->in_extents;
}

// Whether `position` in the image's order is where an extra's texts stand: its first entry.
bool owns_extra(const TreeEntry& e, std::size_t tree_index, const Plan& plan) {
  const PlannedExtra* const extra = extra_of(e, plan);
  return extra != nullptr && (!extra->linked || extra->link == tree_index);
}

void put_header(Stream& out, const BuildOptions& options, const Plan& plan,
                const MetadataSections& s) {
  const TreeShape shape = shape_of(options, plan.end);
  const PackingChoice& packing = choose(packings(), "packing", options.packing);
  const PlacementChoice& placement = choose(placements(), "placement", options.placement);
  FieldWriter& b = out.fields();
  b.put_text(kImageMagic).put<std::uint32_t>(kImageVersion).put<std::uint32_t>(kHeader);
  b.put<std::uint64_t>(plan.end);
  b.put<std::uint32_t>(shape.block_size).put<std::uint32_t>(shape.degree);
  b.put<std::uint32_t>(shape.hash).put<std::uint32_t>(kSections);
  b.put<std::uint64_t>(packing.shares_pages ? kFeatureSharedPages : 0);
  b.put<std::uint8_t>(static_cast<std::uint8_t>(shape.units));
  b.put<std::uint8_t>(static_cast<std::uint8_t>(shape.tree));
  b.put<std::uint8_t>(packing.id).put<std::uint8_t>(placement.id);
  const Chunking c = shape.units == UnitKind::cdc ? options.chunking : Chunking{0, 0, 0};
  b.put<std::uint32_t>(c.min).put<std::uint32_t>(c.average).put<std::uint32_t>(c.max);
  for (std::uint32_t i = 0; i < kSections; ++i) {
    const bool content = i + 1 == kSections;
    b.put<std::uint32_t>(i + 1).put<std::uint32_t>(kRecords[i]);
    b.put<std::uint64_t>(content ? plan.content_start : s.offset[i]);
    b.put<std::uint64_t>(content ? plan.end - plan.content_start : s.length[i]);
  }
}

// Numbers of extras as they appear in the image: in the order of their first entries.
struct ImageExtras {
  std::vector<std::uint32_t> number;  // of each planned extra: 1, 2, ...
  std::vector<std::uint32_t> owner;   // image index of each planned extra's first entry
  std::vector<std::size_t> in_order;  // planned extras
};

ImageExtras number_extras(const Tree& tree, const Plan& plan) {
  ImageExtras x;
  x.number.resize(plan.extras.size());
  x.owner.resize(plan.extras.size());
  for (std::uint32_t i = 0; i < plan.order.size(); ++i) {
    const TreeEntry& e = tree.entries()[plan.order[i]];
    if (!owns_extra(e, plan.order[i], plan)) continue;
    x.in_order.push_back(e.extra - 1);
    x.number[e.extra - 1] = static_cast<std::uint32_t>(x.in_order.size());
    x.owner[e.extra - 1] = i;
  }
  return x;
}

void put_index(Stream& out, const Tree& tree, const Plan& plan, const MetadataSections& s,
               const ImageExtras& x) {
  std::uint64_t text = 0;  // offset in the string section
  for (const std::uint32_t i : plan.order) {
    const TreeEntry& e = tree.entries()[i];
    const PlannedExtra* const extra = extra_of(e, plan);
    const bool link = e.kind == EntryKind::symlink, extents = in_extents(e, plan);
    std::uint64_t offset = 0;
    if (link)
      offset = s.offset[1] + text + e.path_length;
    else if (const std::uint32_t content = content_of(plan, tree, i); content != kNever)
      offset = plan.offsets[content];
    FieldWriter& b = out.fields();
    b.put<std::uint32_t>(static_cast<std::uint32_t>(text)).put<std::uint16_t>(e.path_length);
    b.put<std::uint8_t>(static_cast<std::uint8_t>(e.kind));
    b.put<std::uint8_t>(static_cast<std::uint8_t>((extents ? kFlagExtents : 0) |
                                                  (extents && extra->partial ? kFlagPartial : 0)));
    b.put<std::uint32_t>(e.mode).put<std::uint32_t>(e.extra == 0 ? 0 : x.number[e.extra - 1]);
    b.put<std::int64_t>(e.mtime_ns);
    b.put<std::uint64_t>(link ? e.target_length : e.size).put<std::uint64_t>(offset);
    text += e.path_length + e.target_length;
    if (owns_extra(e, i, plan)) text += extra->attributes.size();
  }
}

void put_strings(Stream& out, const Tree& tree, const Plan& plan) {
  for (const std::uint32_t i : plan.order) {
    const TreeEntry& e = tree.entries()[i];
    out.fields().put_text(e.path()).put_text(e.target());
    if (owns_extra(e, i, plan)) out.fields().put_bytes(extra_of(e, plan)->attributes);
  }
  for (const std::string_view path : plan.absent) out.fields().put_text(path);
}

void put_extras(Stream& out, const Tree& tree, const Plan& plan, const ImageExtras& x) {
  std::uint64_t text = 0;
  std::uint32_t extents = 0;
  for (const std::uint32_t i : plan.order) {
    const TreeEntry& e = tree.entries()[i];
    text += e.path_length + e.target_length;
    if (!owns_extra(e, i, plan)) continue;
    const PlannedExtra& extra = *extra_of(e, plan);
    const auto count = static_cast<std::uint32_t>(extra.stretches.size());
    FieldWriter& b = out.fields();
    b.put<std::uint32_t>(extra.attributes.empty() ? 0 : static_cast<std::uint32_t>(text));
    b.put<std::uint32_t>(static_cast<std::uint32_t>(extra.attributes.size()));
    b.put<std::uint32_t>(count == 0 ? 0 : extents).put<std::uint32_t>(count);
    b.put<std::uint32_t>(extra.linked ? x.owner[e.extra - 1] + 1 : 0).put<std::uint32_t>(0);
    text += extra.attributes.size();
    extents += count;
  }
}

void put_extents(Stream& out, const Plan& plan, const ImageExtras& x) {
  for (const std::size_t i : x.in_order) {
    const PlannedExtra& extra = plan.extras[i];
    for (std::uint32_t k = 0; k < extra.stretches.size(); ++k)
      out.fields()
          .put<std::uint64_t>(extra.stretches[k].offset)
          .put<std::uint64_t>(plan.offsets[extra.first_content + k])
          .put<std::uint64_t>(extra.stretches[k].length);
  }
}

void put_absent(Stream& out, const Plan& plan, std::uint64_t strings_length) {
  std::uint64_t text = strings_length;
  for (const std::string_view path : plan.absent) text -= path.size();
  for (const std::string_view path : plan.absent) {
    out.fields()
        .put<std::uint32_t>(static_cast<std::uint32_t>(text))
        .put<std::uint32_t>(static_cast<std::uint32_t>(path.size()));
    text += path.size();
  }
}

void put_runs(Stream& out, const Plan& plan) {
  for (const auto& [file, run] : plan.runs) {
    const auto at = std::lower_bound(plan.order.begin(), plan.order.end(), file);
    out.fields()
        .put<std::uint32_t>(static_cast<std::uint32_t>(at - plan.order.begin()))
        .put<std::uint32_t>(run.first_page)
        .put<std::uint32_t>(run.pages);
  }
}

void put_pieces(Stream& out, const Plan& plan) {
  for (const Piece& piece : pieces_of(plan))
    out.fields().put<std::uint64_t>(piece.offset).put<std::uint64_t>(piece.length);
}

}  // namespace

std::vector<Piece> pieces_of(const Plan& plan) {
  std::vector<Piece> pieces;
  pieces.reserve(plan.packed.items.size());
  for (std::size_t i = 0; i < plan.packed.items.size(); ++i)
    pieces.push_back({plan.placed.offsets[i], plan.packed.items[i].size});
  std::sort(pieces.begin(), pieces.end(),
            [](const Piece& a, const Piece& b) { return a.offset < b.offset; });
  return pieces;
}

MetadataSections metadata_sections(const Tree& tree, const BuildOptions& options,
                                   const Plan& plan) {
  std::uint64_t strings = 0, extras = 0, extents = 0;
  for (const std::uint32_t i : plan.order) {
    const TreeEntry& e = tree.entries()[i];
    strings += e.path_length + e.target_length;
    if (!owns_extra(e, i, plan)) continue;
    const PlannedExtra& extra = *extra_of(e, plan);
    strings += extra.attributes.size();
    ++extras;
    extents += extra.stretches.size();
  }
  for (const std::string_view path : plan.absent) strings += path.size();
  if (strings > std::numeric_limits<std::uint32_t>::max())
    throw InputError("image: more than 4 GiB of names; split the tree");
  const bool pieces = options.units != kUnitBlocks.name;
  const std::array<std::uint64_t, kSections - 1> counts = {plan.order.size(),
                                                           strings,
                                                           extras,
                                                           extents,
                                                           plan.absent.size(),
                                                           plan.runs.size(),
                                                           pieces ? plan.packed.items.size() : 0};
  MetadataSections s;
  std::uint64_t at = kHeader;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    s.offset[i] = align_up(at, 8);
    s.length[i] = counts[i] * kRecords[i];
    at = s.offset[i] + s.length[i];
  }
  s.total = at;
  return s;
}

void write_metadata(const Tree& tree, const BuildOptions& options, const Plan& plan,
                    const std::function<void(std::span<const std::byte>)>& sink) {
  const MetadataSections s = metadata_sections(tree, options, plan);
  const ImageExtras x = number_extras(tree, plan);
  Stream out(sink);
  put_header(out, options, plan, s);
  out.pad_to(s.offset[0]);
  put_index(out, tree, plan, s, x);
  out.pad_to(s.offset[1]);
  put_strings(out, tree, plan);
  out.pad_to(s.offset[2]);
  put_extras(out, tree, plan, x);
  out.pad_to(s.offset[3]);
  put_extents(out, plan, x);
  out.pad_to(s.offset[4]);
  put_absent(out, plan, s.length[1]);
  out.pad_to(s.offset[5]);
  put_runs(out, plan);
  out.pad_to(s.offset[6]);
  if (options.units != kUnitBlocks.name) put_pieces(out, plan);
  out.flush();
}

}  // namespace missive::zar
