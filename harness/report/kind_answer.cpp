#include "harness/report/kind_answer.h"

#include <algorithm>

#include "harness/experiment_kind.h"
#include "harness/result_reader.h"
#include "models/error.h"

namespace missive::harness {
namespace {

bool same_points(const Result& result, const Experiment& e) {
  return std::equal(result.points.begin(), result.points.end(), e.grid.begin(), e.grid.end(),
                    [](const PointResult& a, const auto& b) { return a.id == b.id; });
}

}  // namespace

KindAnswer answer_of_kind(const Result& result) {
  if (result.kind == "launch" || result.kind.empty()) return {};
  try {
    const Experiment e = experiment_of(result, "result");
    if (!same_points(result, e)) return {};
    const ExperimentKind& kind = experiment_kind(e.kind);
    return {kind.answer != nullptr ? kind.answer(result, e) : Answer{}, kind.table(result, e)};
  } catch (const InputError&) {
    return {};  // of an older version, or one whose configuration this program no longer takes
  }
}

}  // namespace missive::harness
