// zar stat: what an image's bytes are.

#include <memory>

#include <fmt/format.h>

#include "harness/json_source.h"
#include "harness/table.h"
#include "harness/zar/zar_verb.h"
#include "real/zar/packing.h"
#include "real/zar/parallel.h"
#include "real/zar/placement.h"
#include "real/zar/stats.h"

namespace missive::harness {

namespace {

constexpr const char* kSectionNames[] = {"index",  "strings",     "extras", "extents",
                                         "absent", "launch_runs", "pieces"};

Json as_json(const zar::Image& image, const zar::ImageStats& s) {
  Json j;
  j["length"] = s.length;
  j["bytes"] = {{"content", s.content}, {"padding", s.padding}, {"metadata", s.metadata}};
  for (std::size_t i = 0; i < s.sections.size(); ++i)
    j["sections"][kSectionNames[i]] = s.sections[i];
  j["options"] = {{"block_size", image.block_size()},
                  {"degree", image.degree()},
                  {"units", to_string(image.shape().units)},
                  {"tree", to_string(image.shape().tree)},
                  {"hash", "sha256"},
                  {"packing", name_of(zar::packings(), image.packing())},
                  {"placement", name_of(zar::placements(), image.placement())}};
  if (image.shape().units == zar::UnitKind::cdc)
    j["options"]["chunk"] = {image.chunking().min, image.chunking().average, image.chunking().max};
  j["tree"] = {{"units", s.units}, {"recipe", s.recipe}, {"nodes", s.nodes}, {"proof", s.proof}};
  j["entries"] = {{"files", s.files},           {"directories", s.directories},
                  {"symlinks", s.symlinks},     {"hard_links", s.hard_links},
                  {"sparse", s.sparse},         {"partial", s.partial},
                  {"attributes", s.attributes}, {"absent", s.absent}};
  j["launch"] = {{"runs", s.runs}, {"pages", s.run_pages}};
  j["access"] = {{"mappable", s.mappable}, {"copied", s.copied}};
  return j;
}

std::string as_text(const zar::Image& image, const zar::ImageStats& s) {
  const auto percent = [&](std::uint64_t bytes) {
    return fmt::format("{:.2f} %",
                       100.0 * static_cast<double>(bytes) / static_cast<double>(s.length));
  };
  Table bytes({"bytes", "", "of the image"});
  for (const auto& [name, value] :
       {std::pair{"content", s.content}, {"padding", s.padding}, {"metadata", s.metadata}})
    bytes.add({name, std::to_string(value), percent(value)});
  for (std::size_t i = 0; i < s.sections.size(); ++i)
    if (s.sections[i] != 0)
      bytes.add({fmt::format("  {}", kSectionNames[i]), std::to_string(s.sections[i]),
                 percent(s.sections[i])});
  bytes.rule();
  bytes.add({"length", std::to_string(s.length), ""});
  bytes.add({"recipe, beside it", std::to_string(s.recipe), percent(s.recipe)});
  std::string text = bytes.text() + "\n";
  text += fmt::format("cut into   {} {}, {} bytes a block; packing {}, placement {}\n", s.units,
                      to_string(image.shape().units), image.block_size(),
                      name_of(zar::packings(), image.packing()),
                      name_of(zar::placements(), image.placement()));
  text += fmt::format("tree       {}, degree {}: {} inner nodes, {} bytes prove one unit\n",
                      to_string(image.shape().tree), image.degree(), s.nodes, s.proof);
  text += fmt::format(
      "entries    {} files ({} hard links, {} sparse, {} partial), {} directories, {} links, {} "
      "with "
      "attributes, {} absent names\n",
      s.files, s.hard_links, s.sparse, s.partial, s.directories, s.symlinks, s.attributes,
      s.absent);
  text += fmt::format("access     {} bytes can be mapped, {} share pages and are copied\n",
                      s.mappable, s.copied);
  text += fmt::format("start      {} runs of {} pages\n", s.runs, s.run_pages);
  return text;
}

ExitStatus stat_image(const std::string& file, bool json, Terminal& terminal) {
  const OpenImage open(file);
  const zar::Image& image = open.image;
  std::uint64_t units = 0;
  if (image.shape().units != zar::UnitKind::blocks)
    units = zar::make_recipe(image, zar::thread_count(0)).leaves.size();
  const zar::ImageStats stats = zar::stats_of(image, units);
  terminal.out << (json ? as_json(image, stats).dump(2) + "\n" : as_text(image, stats));
  return ExitStatus::ok;
}

}  // namespace

void add_zar_stat(Verb& zar) {
  Verb& verb = zar.add("stat", "split an image's bytes into content, padding, metadata, recipe");
  auto image = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  verb.option("IMAGE", *image, "image file", {.required = true});
  verb.option("--json", *json, "as JSON");
  verb.action = [image, json](Terminal& terminal) { return stat_image(*image, *json, terminal); };
}

}  // namespace missive::harness
