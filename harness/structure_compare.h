#pragma once
// What of an image is counted, beside what is predicted of it.

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "harness/result.h"
#include "harness/structure_experiment.h"
#include "models/structure.h"

namespace missive::harness {

// What further predictions of an update know beside its manifests and how strangers' files changed,
// by what the names of their numbers end in: how files that it shares with other applications
// changed there; what was counted of it at one block size.
inline constexpr std::array<std::string_view, 2> kFurther = {"_seen", "_told"};
// Every prediction of what an update fetches and copies: "network", ..., "copied_told", and
// "network_mean", "copied_mean": the first two's means over hashes that are drawn.
const std::vector<std::string>& update_numbers();

struct StructureCounts {
  std::map<std::string, double> of_image = {};
  // Of images with other hashes, a count each.
  std::vector<double> network = {}, copied = {};
};

// Puts the two answers of a point side by side: exact predictions have to be equal, others near;
// drawn ones, among the draws.
void compare_structure(const StructurePoint& point, const StructureSettings& settings,
                       const StructurePrediction* predicted, const StructureCounts& counted,
                       double content, PointResult& result);
void summarise_structure(const StructureSettings& settings, Result& result);

}  // namespace missive::harness
