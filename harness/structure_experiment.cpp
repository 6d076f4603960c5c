#include "harness/structure_experiment.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "harness/experiment_kind.h"
#include "harness/structure_run.h"
#include "harness/structure_table.h"
#include "harness/structure_tree.h"

namespace missive::harness {

namespace {

std::vector<std::uint64_t> sizes_of(const Json& list) {
  std::vector<std::uint64_t> sizes;
  for (const Json& size : list) sizes.push_back(parse_bytes(size).count);
  return sizes;
}

StructurePoint make_point(const std::string& image, const StructureDesign& design) {
  StructurePoint p;
  const std::size_t arrow = image.find('>');
  p.from = arrow == std::string::npos ? "" : image.substr(0, arrow);
  p.to = arrow == std::string::npos ? image : image.substr(arrow + 1);
  p.design = design;
  p.parameters["image"] = image;
  p.parameters["block_size"] = design.block_size;
  p.parameters["packing"] = design.packing;
  p.parameters["placement"] = design.placement;
  p.parameters["degree"] = design.degree;
  p.parameters["units"] = design.units;
  p.id = point_id(p.parameters);
  p.label = fmt::format("{} {} {} {} {} {}", image, to_string(Bytes{design.block_size}),
                        design.packing, design.placement, design.degree, design.units);
  return p;
}

std::vector<Diagnostic> wrong_images(const JsonSource& source, const Json& e,
                                     const std::string& key) {
  const Json& images = e[key];
  std::vector<Diagnostic> problems;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const StructurePoint p = make_point(images[i], {});
    std::vector<std::string> trees{p.to};
    if (!p.from.empty()) trees.insert(trees.begin(), p.from);
    for (const std::string& tree : trees)
      if (std::string what = check_tree_name(tree); !what.empty())
        problems.push_back(source.at_value(child("/" + key, i), std::move(what)));
  }
  return problems;
}

}  // namespace

StructureSettings read_structure(const JsonSource& source, const Json& e) {
  for (const char* key : {"images", "fit_images"})
    if (auto problems = wrong_images(source, e, key); !problems.empty())
      throw InputErrors(std::move(problems));
  StructureSettings s;
  s.question = e["question"];
  for (const Json& image : e["fit_images"]) {
    const StructurePoint p = make_point(image, {});
    s.fit_images.emplace_back(p.from, p.to);
  }
  s.leave_one_out = e["leave_one_out"];
  s.fit_recorded = e["fit_recorded"];
  s.known_hashes = e["hashes"] == "known";
  s.known_pages = e["pages"] == "known";
  if (e["told_block_size"] != "none") s.told_block_size = parse_bytes(e["told_block_size"]).count;
  for (const auto& [size, error] : e["told_errors"].items())
    s.told_errors[parse_bytes(size).count] = error;
  s.hash_salts = e["hash_salts"];
  s.tolerance = e["tolerance"]["statistical"];
  s.share = e["tolerance"]["share"];
  StructureDesign d;
  for (const Json& image : e["images"])
    for (const std::uint64_t block : sizes_of(e["block_sizes"]))
      for (const Json& packing : e["packings"])
        for (const Json& placement : e["placements"])
          for (const Json& units : e["units"])
            for (const Json& degree : e["degrees"]) {
              d = {block, degree.get<std::uint64_t>(), packing, placement, units};
              s.points.push_back(make_point(image, d));
            }
  return s;
}

bool StructureSettings::fitted(const StructurePoint& point) const {
  return !leave_one_out && std::find(fit_images.begin(), fit_images.end(),
                                     std::pair(point.from, point.to)) != fit_images.end();
}

const StructureSettings& structure_settings(const Experiment& experiment) {
  const auto* settings = dynamic_cast<const StructureSettings*>(experiment.settings.get());
  if (settings == nullptr) throw std::logic_error("not an experiment of kind structure");
  return *settings;
}

zar::BuildOptions build_options(const StructureDesign& d) {
  zar::BuildOptions o;
  o.block_size = static_cast<std::uint32_t>(d.block_size);
  o.degree = static_cast<std::uint32_t>(d.degree);
  o.packing = d.packing;
  o.placement = d.placement;
  o.units = d.units;
  o.holes = false;
  return o;
}

ExperimentKind structure_kind() {
  ExperimentKind kind;
  kind.name = "structure";
  kind.read = [](const JsonSource& source, Experiment& e) {
    auto settings = std::make_shared<StructureSettings>(read_structure(source, e.effective));
    for (const StructurePoint& p : settings->points)
      e.grid.push_back({p.id, p.label, p.parameters});
    e.settings = std::move(settings);
  };
  kind.run = run_structure;
  kind.table = structure_table;
  kind.answer = structure_answer;
  return kind;
}

}  // namespace missive::harness
