#include "real/zar/stats.h"

#include <algorithm>

#include "real/zar/image_reader.h"
#include "real/zar/recipe.h"

namespace missive::zar {

namespace {

constexpr std::uint64_t kRecipeHeader = 32;

void count_entry(const Image& image, std::uint32_t index, ImageStats& s) {
  const Entry& e = image.entries()[index];
  ++(e.kind == EntryKind::file        ? s.files
     : e.kind == EntryKind::directory ? s.directories
                                      : s.symlinks);
  if (!image.attributes(e).empty()) ++s.attributes;
  if (e.partial)
    ++s.partial;
  else if (e.in_extents)
    ++s.sparse;
  if (image.link_of(index) != index) {
    ++s.hard_links;
    return;
  }
  for (const Extent& extent : image.extents(e)) {
    s.content += extent.length;
    const bool own_page =
        extent.offset % kPage == 0 && (extent.length >= kPage || !image.shares_pages());
    (own_page ? s.mappable : s.copied) += extent.length;
  }
}

}  // namespace

ImageStats stats_of(const Image& image, std::uint64_t units) {
  ImageStats s;
  s.length = image.shape().length;
  s.metadata = image.metadata_bytes();
  const std::string where = "image";
  const ImageHeader header = read_header({image.data(), where});
  for (std::size_t i = 0; i < s.sections.size(); ++i) s.sections[i] = header.sections[i].length;
  for (std::uint32_t i = 0; i < image.entries().size(); ++i) count_entry(image, i, s);
  s.padding = s.length - s.metadata - s.content;
  s.absent = image.absent().size();
  s.runs = image.launch_runs().size();
  for (const LaunchRun& run : image.launch_runs()) s.run_pages += run.pages;
  s.units = units == 0 ? image.shape().blocks() : units;
  s.recipe = kRecipeHeader + s.units * recipe_record(image.shape().units);
  s.nodes = inner_nodes(s.units, image.degree());
  s.proof = proof_digests(s.units, image.degree()) * sizeof(Digest);
  return s;
}

}  // namespace missive::zar
