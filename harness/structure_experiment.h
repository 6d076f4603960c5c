#pragma once
// The part of an experiment of kind "structure" that others do not have: which images are planned
// or built, in which designs. A point is one image ("TREE", or "FROM>TO": of a client that holds
// the image of FROM in the same design) in one design.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "harness/experiment.h"
#include "models/structure.h"
#include "real/zar/builder.h"

namespace missive::harness {

struct StructurePoint {
  std::string id, label;
  std::string from, to;  // trees (harness/structure_tree.h); `from` may be empty
  StructureDesign design;
  Json parameters;
};

struct StructureSettings : KindSettings {
  std::string question;
  // Updates whose changed files the model learns from, page by page: (from, to). Points of these
  // images are shown, and not judged; or, leaving one out, predicted from the others and judged.
  std::vector<std::pair<std::string, std::string>> fit_images;
  bool leave_one_out = false;
  bool fit_recorded = false;  // and from real ones that ship (harness/structure_edits.h)
  bool known_hashes = true;   // of contents, for placement "stable"; else they are drawn
  bool known_pages = true;    // which of the older image's are equal
  std::optional<std::uint64_t> told_block_size;  // whose count a second prediction is told
  std::map<std::uint64_t, double> told_errors;   // by block size: widened()
  std::size_t hash_salts = 0;  // pairs of images whose mean drawn hashes are held against
  double tolerance = 0, share = 0;
  std::vector<StructurePoint> points;
  bool fitted(const StructurePoint& point) const;
};

// `effective` is a checked file of that kind with all defaults. Throws InputErrors.
StructureSettings read_structure(const JsonSource& source, const Json& effective);
const StructureSettings& structure_settings(const Experiment& experiment);

zar::BuildOptions build_options(const StructureDesign& design);

}  // namespace missive::harness
