#pragma once
// The part of an experiment of kind "commonality" that others do not have: which applications
// (block lists), which part of them (whole, what a start opens, what it touches), cut how. Its
// points are content x units.

#include <string>
#include <vector>

#include "harness/answer.h"
#include "harness/experiment.h"
#include "harness/launch_run.h"
#include "harness/result.h"
#include "real/commonality/collection.h"

namespace missive::harness {

struct CommonalityPoint {
  std::string id, content, units;
  Json parameters;  // as in result.json
};

struct CommonalitySettings : KindSettings {
  std::string lists;
  std::uint64_t orders = 1;
  double tolerance = 0;
  std::vector<CommonalityPoint> points;
};

const CommonalitySettings& commonality_settings(const Experiment& experiment);

// Where the lists of that name are: the shipped sample, the shipped versions, what
// scripts/commonality-data made, a file.
std::filesystem::path commonality_lists(const std::string& name);

Result run_commonality(const Experiment& experiment, const RunOptions& options);

// Counts one point and predicts it, by `e.backend`: metrics in bytes.
//   alone, left_out, union     means, exact: without cache, after all others, all together
//   new.N                      mean of the N-th over random orders; expectation beside it
//   X.median, X.p10, X.p90     over applications, counted only; X = alone, left_out, and with
//                              "_all" those with metadata and recipe, which nobody shares
//   left_out.FAMILY            after the others of its family only; mean
//   left_out_all[.FAMILY]      the same with metadata and recipe, counted only
//   union.held_out             all together, predicted from the first half by a power law
// Also says which exact amounts differ, if any.
std::vector<Metric> count_commonality(const commonality::Collection& collection,
                                      const Experiment& e, std::vector<std::string>& differences);

std::string commonality_table(const Result& result, const Experiment& experiment);
// How much of the median application is new to a cache that holds all the others.
Answer commonality_answer(const Result& result, const Experiment& experiment);

}  // namespace missive::harness
