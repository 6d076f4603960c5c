#pragma once
// What was measured of every cell beside what the model says. The model sees the parameters of
// primitives and the question; nothing that a cell measured reaches it.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "harness/isolation_measure.h"
#include "harness/result.h"
#include "models/published.h"
#include "models/statistics.h"

namespace missive::harness {

struct IsolationPrediction {
  double value = 0;
  std::string unit;
  Provenance provenance = Provenance::measured;
  std::set<std::string> parameters;
  std::string formula;
};

// The metrics of a point that have a model whose parameters are there, by name. Needs no
// measurement. Slow-downs come from the literature where code is not native: provenance
// "published". `maker_pages`: of the process that makes the domains (models/isolation.h); without
// it, no creation is predicted.
std::map<std::string, IsolationPrediction> predict_cell(const IsolationPoint& point,
                                                        const IsolationSettings& settings,
                                                        const ParameterSet& parameters,
                                                        const PublishedCatalogue& published,
                                                        std::optional<double> maker_pages);

// Where no process makes domains (the model alone): the pages of one, seen while calibrating.
inline constexpr const char* kMakerPages = "maker.pages";

// Everything about one point so far.
struct IsolationData {
  std::size_t point = 0;    // index into IsolationSettings::points
  std::string unavailable;  // why the mechanism does not run here; then there is nothing else
  std::vector<CellMeasurement> processes;
};

// Fills points, summary (but not_available, failures, interrupted), parameters_used and
// observations of `result`.
void compare_isolation(const Experiment& experiment, const std::vector<IsolationData>& data,
                       const ParameterSet& parameters, const PublishedCatalogue& published,
                       Result& result);

// The summary, from the points' metrics.
void summarise_isolation(const Experiment& experiment, Result& result);

}  // namespace missive::harness
