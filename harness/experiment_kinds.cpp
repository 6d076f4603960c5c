#include <stdexcept>

#include "harness/experiment_kind.h"

namespace missive::harness {

const std::vector<ExperimentKind>& experiment_kinds_registered() {
  static const std::vector<ExperimentKind> all{
      launch_kind(), isolation_kind(), verification_kind(), structure_kind(), commonality_kind(),
  };
  return all;
}

const ExperimentKind& experiment_kind(const std::string& name) {
  for (const ExperimentKind& kind : experiment_kinds_registered())
    if (kind.name == name) return kind;
  throw std::logic_error("the schema has a kind '" + name + "' that nothing runs");
}

}  // namespace missive::harness
