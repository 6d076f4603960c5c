#include "harness/parameter_source.h"

#include <span>

#include "harness/json_source.h"
#include "harness/launch_calibrate.h"
#include "real/zar/digest.h"

namespace missive::harness {

ParameterSet named_parameters(const std::string& name) {
  if (name == "reference") return reference_parameters();
  const JsonSource source = JsonSource::read(name);
  return ParameterSet::from_json(nlohmann::json(source.document()), name);
}

std::string parameters_digest(const ParameterSet& parameters) {
  const std::string text = parameters.to_json().dump();
  return zar::to_hex(zar::sha256(std::as_bytes(std::span(text))));
}

}  // namespace missive::harness
