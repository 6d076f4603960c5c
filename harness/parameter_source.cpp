#include "harness/parameter_source.h"

#include "harness/json_source.h"
#include "harness/launch_calibrate.h"

namespace missive::harness {

ParameterSet named_parameters(const std::string& name) {
  if (name == "reference") return reference_parameters();
  const JsonSource source = JsonSource::read(name);
  return ParameterSet::from_json(nlohmann::json(source.document()), name);
}

}  // namespace missive::harness
