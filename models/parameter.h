#pragma once
// Parameters of the cost models, each with where its value comes from.
//
//   measured   calibrated on this host by a micro-measurement (named in `source`), with interval
//   and date published  taken from the literature (citation in `source`) assumed    neither;
//   `source` gives the reason
//
// A parameter name reads `<cost>.<term>_<unit>`: "sha256_tree.byte_s" is seconds per byte. All
// values are in SI units (seconds, bytes, bytes per second).

#include <map>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace missive {

enum class Provenance { measured, published, assumed };
std::string to_string(Provenance p);

struct Parameter {
  double value = 0;
  std::string unit;
  Provenance provenance = Provenance::assumed;
  std::string source;        // micro-measurement, citation or reason; never empty
  double low = 0, high = 0;  // 95 % interval; low == high == value where none is known
  std::string date;          // ISO 8601, measured only
};

class ParameterSet {
 public:
  // Throws InputError: no such parameter (with the nearest name), or a value that is not finite.
  const Parameter& at(const std::string& name) const;
  double value(const std::string& name) const { return at(name).value; }
  bool contains(const std::string& name) const { return parameters_.contains(name); }

  // Adds or replaces. Throws InputError when value or interval is not finite or `source` is empty.
  void set(const std::string& name, Parameter parameter);
  void merge(const ParameterSet& other);  // other wins

  const std::map<std::string, Parameter>& all() const { return parameters_; }

  // Parameter file, format "missive-sim/parameters/1": {"format":..., "parameters": {name: {...}}}.
  // from_json throws InputError naming every bad entry.
  static ParameterSet from_json(const nlohmann::json& document, const std::string& where);
  nlohmann::json to_json() const;

 private:
  std::map<std::string, Parameter> parameters_;
};

}  // namespace missive
